"""
# Backfill

Press **Trigger** and fill in the form: the first day, the day after the last one, and which models. Days that are up to date
are passed over, so a backfill that was stopped goes on where it was: trigger it again with the same values.

* Models are selected as on the command line: `gold.*`, a name, `+name` for a model with all that it is built from. `*` is all.
* By hand it is `userflow-jobs backfill MODEL… --from DAY --to DAY`, and leaves the same tables.
* One backfill at a time. Each task's return value says which days it computed and which it passed over.
"""

from airflow.sdk import DAG, Param

from userflow_airflow import windows
from userflow_airflow.graph import domains
from userflow_airflow.runs import DEFAULTS, Backfill, Close, Select, leaves, per_model, prepare, roots

for domain in domains():
    names = [model.name for model in domain.models]
    params = {
        "from": Param(type="string", format="date", title="From", description="First day (UTC)"),
        "to": Param(type="string", format="date", title="To", description="The day after the last one: to is exclusive"),
        "models": Param(
            ["*"],
            type="array",
            title="Models",
            description="Which tables; * is all of them, + means: with what it is built from",
            examples=["*", *(f"+{name}" for name in names), *names],
        ),
    }
    with DAG(
        f"{domain.name}_backfill",
        schedule=None,
        max_active_runs=1,
        default_args=DEFAULTS,
        params=params,
        tags=[domain.name, "backfill"],
        doc_md=__doc__,
    ) as dag:
        select = Select(task_id="select")
        tables = per_model(
            domain.models,
            lambda model: Backfill(
                task_id=model.name,
                model=model,
                choice="select",
                days=lambda context: windows.asked(context["params"]["from"], context["params"]["to"]),
                trigger_rule="none_failed",
            ),
        )
        done = Close(task_id="done", of=[*names], trigger_rule="none_failed", tell=True)
        leaves(tables) >> done
        prepare(domain.name) >> select >> roots(tables)
