"""The command line, the settings and the environment of a driver.

What runs is the class that ``spark-submit`` runs, started without the shell scripts before it: they start a JVM of their
own only to print this command. Settings, which may hold secrets, go through a file that only its user can read; the
command line says nothing of them. Everything that listens does so on the loopback interface and asks for a secret.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_ext.spark.java import Java, Spark, python
from jupyter_ext.spark.spec import AppSpec, say

SUBMIT: Final = "org.apache.spark.deploy.SparkSubmit"
SERVER: Final = "org.apache.spark.sql.connect.service.SparkConnectServer"
LOOPBACK: Final = "127.0.0.1"
DRIVER: Final = Path(__file__).with_name("driver.py")
CONNECTION: Final = "connection.json"
"""Ports and secrets of what runs, for its user's other processes."""
WRITING: Final = "writing.log"
"""The folders that are written to, each noted before anything is there. Of each write the first task is noted too."""
# Spark's own list (org.apache.spark.launcher.JavaModuleOptions).
_OPENED: Final = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs"),
    *("sun.security.action", "sun.util.calendar"),
)
_MODULES: Final = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED),
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)
_LOG4J: Final = """rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.bind.name = org.apache.spark.util.Utils
logger.bind.level = error
appender.writing.type = File
appender.writing.name = writing
appender.writing.fileName = {writing}
appender.writing.layout.type = PatternLayout
appender.writing.layout.pattern = %m%n
appender.writing.filter.first.type = RegexFilter
appender.writing.filter.first.regex = (?s).*(?:context=JobContextImpl|_[mr]_000000_0, status).*
appender.writing.filter.first.onMatch = ACCEPT
appender.writing.filter.first.onMismatch = DENY
logger.committer.name = org.apache.hadoop.mapreduce.lib.output.PathOutputCommitter
logger.committer.level = debug
logger.committer.additivity = false
logger.committer.appenderRef.writing.ref = writing
"""


@dataclass(frozen=True)
class Connection:
    """Where a driver listens, and with which secrets. ``port`` is that of Spark Connect, 0 without one."""

    ui: int
    ui_key: str
    port: int = 0
    token: str = ""

    @classmethod
    def new(cls, ui: int, port: int = 0) -> Connection:
        """Fresh secrets."""
        return cls(ui, secrets.token_urlsafe(32), port, secrets.token_urlsafe(32) if port else "")

    @classmethod
    def read(cls, folder: Path) -> Connection | None:
        """What was written down; None before that."""
        try:
            return cls(**json.loads((folder / CONNECTION).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """For this user only, and in one piece."""
        _private(folder / CONNECTION, json.dumps(vars(self)))


def prepare(app: AppSpec, spark: Spark, java: Java, connection: Connection, folder: Path) -> list[str]:
    """Write the settings into the folder and give the command."""
    for name in ("events", "scratch"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    _private(folder / "log4j2.properties", _LOG4J.replace("{writing}", str(folder / WRITING)))
    _private(folder / "spark.conf", _properties(settings(app, connection, folder)))
    jars = spark.home / "jars"
    slf4j = next(iter(sorted(jars.glob("slf4j-api-*.jar"))), jars)
    vector = ("--add-modules=jdk.incubator.vector",) if java.vector else ()
    return [
        str(java.program),
        "-cp",
        os.pathsep.join((str(spark.home / "conf"), str(slf4j), f"{jars}/*")),
        *(
            f"-Xmx{say(app.heap)}",
            *_MODULES,
            *vector,
            f"-Dlog4j2.configurationFile={folder}/log4j2.properties",
        ),
        *(f"-Djava.io.tmpdir={folder}/scratch", *app.driver.java_options.split()),
        *(
            SUBMIT,
            "--properties-file",
            str(folder / "spark.conf"),
            "--master",
            app.master,
            "--name",
            app.name,
        ),
        *_main(app, folder),
    ]


def _main(app: AppSpec, folder: Path) -> list[str]:
    if app.serves:
        return ["--class", SERVER, "spark-internal"]
    if app.main_class:
        return ["--class", app.main_class, app.file, *app.arguments]
    return [str(DRIVER), str(folder), *app.arguments]


def settings(app: AppSpec, connection: Connection, folder: Path) -> dict[str, str]:
    """What Spark is told: the user's settings, and on top what is not theirs to say."""
    found = {
        "spark.sql.warehouse.dir": f"file://{folder}/warehouse",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.shuffle.partitions": str(max(2 * app.cores, 4)),
        "spark.ui.showConsoleProgress": "false",
        **app.conf,
        "spark.driver.memory": say(app.heap),
        "spark.driver.cores": str(app.driver.cores),
        "spark.executor.cores": str(app.executor.cores),
        "spark.executor.memory": say(app.executor.memory),
        "spark.driver.bindAddress": LOOPBACK,
        "spark.driver.host": "localhost",
        "spark.authenticate": "true",
        "spark.local.dir": f"{folder}/scratch",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file://{folder}/events",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.ui.port": str(connection.ui),
        "spark.ui.killEnabled": "false",
        "spark.ui.filters": "org.apache.spark.ui.JWSFilter",
        "spark.org.apache.spark.ui.JWSFilter.param.secretKey": connection.ui_key,
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|credential",
    }
    if app.apart:
        found["spark.authenticate.secret"] = connection.ui_key
        found["spark.executor.extraJavaOptions"] = (
            f"{app.executor.java_options} -Dlog4j2.configurationFile={folder}/log4j2.properties"
        ).strip()
    for key, value in app.executor.env.items():
        found[f"spark.executorEnv.{key}"] = value
    for key, value in (("spark.jars", "jars"), ("spark.files", "files"), ("spark.submit.pyFiles", "pyFiles")):
        if app.deps.get(value):
            found[key] = ",".join(app.deps[value])
    for key in ("packages", "repositories"):
        if app.deps.get(key):
            found[f"spark.jars.{key}"] = ",".join(app.deps[key])
    if app.deps.get("excludePackages"):
        found["spark.jars.excludes"] = ",".join(app.deps["excludePackages"])
    if app.deps.get("archives"):
        found["spark.archives"] = ",".join(app.deps["archives"])
    if app.serves:
        found |= {
            "spark.connect.grpc.binding.address": LOOPBACK,
            "spark.connect.grpc.binding.port": str(connection.port),
            "spark.connect.authenticate.token": connection.token,
            "spark.connect.session.manager.defaultSessionTimeout": "3650d",
        }
    return found


def environment(app: AppSpec, spark: Spark, java: Java, base: Mapping[str, str]) -> dict[str, str]:
    """The driver's environment: the submitter's and the application's own, without what would lead Spark elsewhere."""
    gone = {
        "SPARK_REMOTE",
        "SPARK_CONNECT_MODE_ENABLED",
        "SPARK_CONNECT_AUTHENTICATE_TOKEN",
        "PYSPARK_DRIVER_PYTHON",
        "SPARK_CONF_DIR",
    }
    found = {key: value for key, value in base.items() if key not in gone}
    found |= app.driver.env
    found |= {
        "SPARK_HOME": str(spark.home),
        "SPARK_SCALA_VERSION": _scala(spark),
        "JAVA_HOME": str(java.home),
        "SPARK_LOCAL_IP": LOOPBACK,
        "PYSPARK_PYTHON": python(),
        "PYTHONUNBUFFERED": "1",
    }
    if found.get("MPLBACKEND", "").startswith("module://"):
        found["MPLBACKEND"] = "Agg"  # a notebook's own backend shows nothing here
    return found


def _scala(spark: Spark) -> str:
    """Which Scala it is built with; workers that start executors ask for it."""
    core = next(iter(sorted((spark.home / "jars").glob("spark-core_*.jar"))), None)
    return core.name.removeprefix("spark-core_").partition("-")[0] if core else "2.13"


def _properties(found: Mapping[str, str]) -> str:
    """As ``java.util.Properties`` reads them."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in found.items())


def _escaped(value: str) -> str:
    text = value.replace("\\", "\\\\")
    text = "".join(letter if " " <= letter <= "~" else _code(letter) for letter in text)
    return "\\" + text if text.startswith((" ", "#", "!")) else text


def _code(letter: str) -> str:
    raw = letter.encode("utf-16-be")
    return "".join(f"\\u{raw[place]:02x}{raw[place + 1]:02x}" for place in range(0, len(raw), 2))


def _private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
