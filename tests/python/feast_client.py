"""Asks Feast's own Python client, in an environment that has it: deploy/setup feast.

    .userflow/feast-0.67/bin/python tests/python/feast_client.py FOLDER <requests.json

The folder is what `userflow-jobs feast --into` wrote. Requests are a list of {"service": …} or {"features": [...]}, with "rows"
(a list of entities) and "full_names". For each it prints what the client made of the answer: values by name, and statuses by
name; or the class of its error.
"""

import json
import sys

from feast import FeatureStore
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus


def main() -> None:
    store = FeatureStore(sys.argv[1])
    answers = [ask(store, request) for request in json.load(sys.stdin)]
    json.dump(answers, sys.stdout, default=str)


def ask(store: FeatureStore, request: dict) -> dict:
    features = store.get_feature_service(request["service"]) if "service" in request else request["features"]
    try:
        response = store.get_online_features(
            features=features, entity_rows=request["rows"], full_feature_names=request.get("full_names", False)
        )
    except Exception as error:  # noqa: BLE001 (which one it is, is the question)
        return {"error": type(error).__name__, "message": str(error)}
    names = list(response.proto.metadata.feature_names.val)
    statuses = [[FieldStatus.Name(status) for status in result.statuses] for result in response.proto.results]
    return {"values": response.to_dict(), "statuses": dict(zip(names, statuses, strict=True))}


if __name__ == "__main__":
    main()
