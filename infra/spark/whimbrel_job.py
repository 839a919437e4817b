"""What `spark-submit` runs: a verb of Whimbrel's in the driver, with the session that spark-submit has set up.

    spark-submit --master spark://... --py-files whimbrel.zip whimbrel_job.py release od_trips 2026-W10 --engine spark

The driver needs Whimbrel's dependencies; executors need nothing but Spark and the storage roots: no stage runs Python.
Run on standalone clusters (tests/e2e). Not run here: on YARN and on Kubernetes.
"""

from jobs.cli import run

run()
