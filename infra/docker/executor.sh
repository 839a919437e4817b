#!/bin/sh
# What a container runs: a Spark executor where Kubernetes asks for one, anything else as it is told.
# The variables are those that Spark 4.2 gives to executor pods. Checked: `sh -n`. Not run here: on Kubernetes.
set -eu
if [ "${1:-}" != executor ]; then
  exec /usr/bin/tini -s -- "$@"
fi
set --
i=0
while eval "option=\${SPARK_JAVA_OPT_$i:-}"; [ -n "$option" ]; do
  set -- "$@" "$option"
  i=$((i + 1))
done
exec /usr/bin/tini -s -- java "$@" \
  "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
  -cp "${SPARK_CLASSPATH:-}:$SPARK_HOME/jars/*" \
  org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
  --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
  --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" \
  --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
