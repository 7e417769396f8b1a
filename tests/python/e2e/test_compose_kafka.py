"""The Kafka container's own start, with our settings: what its entry point makes of the mounted file and of the variables."""

import os
import subprocess
from pathlib import Path

import yaml
from conftest import ROOT

JARS = Path(os.environ.get("USERFLOW_CACHE") or Path.home() / ".cache/userflow")


def test_the_containers_entry_point_takes_our_settings(tmp_path):
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["kafka"]
    version = service["image"].partition(":")[2]
    [mount] = [volume for volume in service["volumes"] if "server.properties" in volume]
    for folder in ("default", "mounted", "final"):
        (tmp_path / folder).mkdir()
    settings = (ROOT / mount.split(":")[0]).read_text()
    (tmp_path / "mounted" / Path(mount.split(":")[1]).name).write_text(settings)
    variables = {name: str(value).replace("${KAFKA_PORT:-9092}", "9092") for name, value in service["environment"].items()}
    environment = {"PATH": os.environ["PATH"], **variables, "KAFKA_LOG_DIRS": str(tmp_path / "data")}
    command = ["java", "-cp", f"{JARS}/kafka-{version}/jars/*", "kafka.docker.KafkaDockerWrapper", "setup",
               "--default-configs-dir", tmp_path / "default", "--mounted-configs-dir", tmp_path / "mounted",
               "--final-configs-dir", tmp_path / "final"]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # It formatted the storage: every setting was read and is one that the broker accepts.
    assert f"cluster.id={variables['CLUSTER_ID']}" in (tmp_path / "data/meta.properties").read_text()
    lines = (line for line in (tmp_path / "final/server.properties").read_text().splitlines() if "=" in line and line[0] != "#")
    final = dict(line.split("=", 1) for line in lines)
    assert not [value for value in final.values() if "$" in value]
    assert final["listeners"] == variables["KAFKA_LISTENERS"] and final["auto.create.topics.enable"] == "false"
