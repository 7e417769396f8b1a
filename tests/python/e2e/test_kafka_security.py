"""Kafka with TLS and SASL, on a real broker with certificates made here: every way in works for `simulate`, `ingest` and `lag`
alike, and a way that is closed ends with exit code 2 and says what to look at."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from conftest import ROOT

sys.path.insert(0, str(ROOT / "deploy/servers"))

import process  # noqa: E402

KAFKA = ROOT / "deploy/servers/kafka"
USER, PASSWORD = "reader", "p;a=ss wort"
KEY_PASSWORD = "of the key"
LISTENERS = ["TLS", "MUTUAL", "LOGIN"]


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder: Path, name: str) -> Path:
    """A certificate authority."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")  # fmt: skip
    return folder / f"{name}.pem"


def signed(folder: Path, name: str, by: str, host: str) -> tuple[Path, Path]:
    """A certificate and its key."""
    key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    (folder / f"{name}.ext").write_text(f"subjectAltName={host}\n")
    openssl("x509", "-req", "-days", 2, "-in", request, "-CA", folder / f"{by}.pem", "-CAkey", folder / f"{by}.key",
            "-CAcreateserial", "-extfile", folder / f"{name}.ext", "-out", certificate)  # fmt: skip
    return certificate, key


@dataclass(frozen=True)
class World:
    folder: Path
    plain: str
    ports: dict[str, int]

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def attempt(self, listener: str, command: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        binary = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release")) / "userflow-ingester"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("USERFLOW_")}
        server = f"localhost:{self.ports[listener]}"
        whole = [binary, command, "--domain", "webtoon", "--brokers", server, *arguments]
        return subprocess.run([str(part) for part in whole], cwd=ROOT, capture_output=True, text=True, check=False,
                              timeout=120, env={**clean, **variables})  # fmt: skip

    def passes(self, listener: str, *access: object, **variables: str) -> None:
        """Events go in and come out, and the reader says that it has them."""
        topic = f"secure.{time.time_ns()}"
        admin = AdminClient({"bootstrap.servers": self.plain})
        admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(60)
        lake = self.folder / topic
        calls = [
            ("simulate", "--topic", topic, "--sessions", 20, "--seed", 3, "--summary", self.folder / "sent.json"),
            ("ingest", "--topic", topic, "--lake", lake, "--until-caught-up", "--output", "json"),
            ("lag", "--topic", topic, "--lake", lake, "--max-lag", 0, "--output", "json"),
        ]
        said = []
        for call in calls:
            done = self.attempt(listener, *call, *access, **variables)
            assert done.returncode == 0, f"{call}: {done.returncode}\n{done.stderr}"
            said.append(done.stdout)
            assert PASSWORD not in done.stderr and KEY_PASSWORD not in done.stderr
        read, lag = json.loads(said[1]), json.loads(said[2])
        assert read["rows_written"] > 100 and read["quarantined"] == 0
        assert sum(part["end_offset"] for part in lag["partitions"]) == read["rows_written"]

    def refused(self, listener: str, words: str, *access: object, **variables: str) -> None:
        """Exit code 2 within seconds, with the fix."""
        for call in [("ingest", "--lake", self.folder / "none", "--until-caught-up"), ("simulate", "--sessions", 1)]:
            done = self.attempt(listener, *call, "--topic", "none", *access, **variables)
            assert done.returncode == 2, f"{call}: {done.returncode}\n{done.stderr}"
            assert re.search(words, done.stderr), done.stderr
            assert PASSWORD not in done.stderr and "wrong-one" not in done.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("security")
    authority(folder, "authority")
    authority(folder, "stranger")
    certificate, key = signed(folder, "broker", "authority", "DNS:localhost,IP:127.0.0.1")
    signed(folder, "client", "authority", "DNS:client")
    openssl("pkcs8", "-topk8", "-v2", "aes256", "-passout", f"pass:{KEY_PASSWORD}",
            "-in", folder / "client.key", "-out", folder / "client.enc")  # fmt: skip
    (folder / "broker.both").write_text(key.read_text() + certificate.read_text())
    broker = folder / "broker.d"
    ports = dict(zip(LISTENERS, process.free_ports(len(LISTENERS)), strict=True))
    shown = "PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port"
    more = "".join(f",{name}://localhost:{port}" for name, port in ports.items())
    module = "org.apache.kafka.common.security"
    properties = folder / "more.properties"
    properties.write_text(f"""
listeners={shown}{more}
advertised.listeners={shown}{more}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MUTUAL:SSL,LOGIN:SASL_SSL
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.both
ssl.truststore.type=PEM
ssl.truststore.location={folder}/authority.pem
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.login.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
listener.name.login.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.login.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.login.oauthbearer.sasl.jaas.config={module}.oauthbearer.OAuthBearerLoginModule required \
  unsecuredLoginStringClaim_sub="broker";
""")
    started = subprocess.run([KAFKA, "start", "--dir", broker], stdout=subprocess.PIPE, text=True, check=False,
                             env={**os.environ, "USERFLOW_KAFKA_PROPERTIES": str(properties)})  # fmt: skip
    try:
        assert started.returncode == 0, (broker / "log").read_text()[-3000:]
        [plain] = re.findall(r"^USERFLOW_BROKERS=(127\.0\.0\.1:\d+)$", started.stdout, re.M)
        users = [UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
                 for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)]  # fmt: skip
        admin = AdminClient({"bootstrap.servers": plain})
        for user in users:
            for changed in admin.alter_user_scram_credentials([user]).values():
                changed.result(60)
        yield World(folder, plain, {**ports, "PLAIN": int(plain.rpartition(":")[2])})
    finally:
        subprocess.run([KAFKA, "kill", "--dir", broker], check=False)


def login(world: World, mechanism: str) -> list[object]:
    return ["--kafka-security-protocol", "sasl-ssl", "--kafka-ca-file", world.folder / "authority.pem",
            "--kafka-sasl-mechanism", mechanism]  # fmt: skip


def token(ends_in: float) -> str:
    def part(claims: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    now = time.time()
    return f"{part({'alg': 'none'})}.{part({'sub': USER, 'iat': now, 'exp': now + ends_in})}."


def test_tls(world):
    world.passes("TLS", "--kafka-security-protocol", "ssl", "--kafka-ca-file", world.folder / "authority.pem")


def test_tls_said_in_the_librarys_words(world):
    options = ["security.protocol=SSL", f"ssl.ca.location={world.folder}/authority.pem"]
    world.passes("TLS", *(part for option in options for part in ("--kafka-option", option)))


def test_both_sides_show_a_certificate(world):
    ours = ["--kafka-cert-file", world.folder / "client.pem", "--kafka-key-file", world.folder / "client.enc"]
    world.passes(
        "MUTUAL", "--kafka-security-protocol", "ssl", "--kafka-ca-file", world.folder / "authority.pem", *ours,
        "--kafka-key-password-file", world.file("key.password", KEY_PASSWORD),
    )  # fmt: skip


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256", "scram-sha-512"])
def test_passwords(world, mechanism):
    password = world.file("password", PASSWORD + "\n")
    world.passes("LOGIN", *login(world, mechanism), "--kafka-user", USER, "--kafka-password-file", password)


def test_a_password_from_a_variable(world):
    world.passes(
        "LOGIN", "--kafka-ca-file", world.folder / "authority.pem", USERFLOW_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        USERFLOW_KAFKA_SASL_MECHANISM="SCRAM-SHA-512", USERFLOW_KAFKA_USER=USER, USERFLOW_KAFKA_PASSWORD=PASSWORD,
    )  # fmt: skip


def test_a_token(world):
    world.passes("LOGIN", *login(world, "oauthbearer"), "--kafka-token-file", world.file("token", token(3600)))


def test_a_stranger_at_the_other_end_is_refused(world):
    tls = ["--kafka-security-protocol", "ssl", "--kafka-ca-file", world.folder / "stranger.pem"]
    world.refused("TLS", "--kafka-ca-file", *tls)


def test_without_a_certificate_of_ours(world):
    tls = ["--kafka-security-protocol", "ssl", "--kafka-ca-file", world.folder / "authority.pem"]
    world.refused("MUTUAL", "--kafka-cert-file", *tls)


def test_a_listener_without_tls(world):
    tls = ["--kafka-security-protocol", "ssl", "--kafka-ca-file", world.folder / "authority.pem"]
    world.refused("PLAIN", "--kafka-security-protocol", *tls)


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256", "scram-sha-512"])
def test_a_wrong_password(world, mechanism):
    world.refused("LOGIN", "--kafka-user and the password", *login(world, mechanism), "--kafka-user", USER,
                  "--kafka-password-file", world.file("wrong", "wrong-one"))  # fmt: skip


def test_a_token_that_has_ended(world):
    old = world.file("old", token(-60))
    world.refused("LOGIN", "--kafka-token-file", *login(world, "oauthbearer"), "--kafka-token-file", old)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["group.id=other"], "--group"),
        (["auto.offset.reset=latest"], "--accept-data-loss"),
        (["enable.partition.eof=false"], "caught up"),
        (["isolation.level=read_uncommitted"], "aborted"),
        (["enable.auto.commit=true"], "positions"),
        (["partition.assignment.strategy=sticky"], "--assignor"),
        (["partition.assignment.strategy=range,cooperative-sticky"], "partition.assignment.strategy"),
        (["fetch.message.max.bytes=1000"], "65536"),
        (["no.such=1"], "no.such"),
        (["security.protocol=SASL_SSL"], "--kafka-sasl-mechanism"),
        (["session.timeout.ms=soon"], "session.timeout.ms"),
        (["group.protocol=consumer", "session.timeout.ms=6000"], "session.timeout.ms"),
    ],
)
def test_options_that_contradict_the_program(world, options, words):
    flags = [part for option in options for part in ("--kafka-option", option)]
    done = world.attempt("TLS", "ingest", "--topic", "none", "--lake", world.folder / "none", "--until-caught-up", *flags)
    assert done.returncode == 2, f"{done.returncode}\n{done.stderr}"
    assert words in done.stderr
