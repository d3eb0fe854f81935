"""Paused, as new DAGs are unless they say otherwise."""

from airflow.sdk import dag, task


@dag(schedule=None, is_paused_upon_creation=True)
def switched_off():
    @task
    def hello() -> str:
        return "hello"

    hello()


switched_off()
