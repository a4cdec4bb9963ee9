"""The names of Dagster that are not public, which the benchmarks need; jv_assets/dagster_internals.py says the rule."""

# To ask a code server what it has loaded, as the webserver does. The public programs ask through this client.
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

__all__ = ["DagsterGrpcClient", "DagsterUserCodeUnreachableError"]
