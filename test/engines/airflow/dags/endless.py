"""Works, a line in `conf.journal` every half second, until it is stopped."""

import time

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, is_paused_upon_creation=False)
def endless():
    @task
    def work() -> None:
        journal = get_current_context()["dag_run"].conf["journal"]
        while True:
            with open(journal, "a") as file:
                file.write("works\n")
            time.sleep(0.5)

    work()


endless()
