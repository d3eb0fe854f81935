"""Fails, with a word in its log; once only where `conf.mood` names a file that is not there yet."""

from pathlib import Path

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, is_paused_upon_creation=False)
def moody():
    @task
    def sulk() -> None:
        mood = get_current_context()["dag_run"].conf.get("mood")
        print("it rains")
        if mood is None or not Path(mood).exists():
            if mood is not None:
                Path(mood).touch()
            raise ValueError("not today")

    sulk()


moody()
