"""botocore's data in the zips: all that a module calls, as botocore has it, and little else."""

import functools
import gzip
import json
import re
from urllib.parse import parse_qs

import pytest
import yaml
from botocore.model import ServiceModel
from botocore.regions import EndpointResolver

from flexlocal import build, distributions, manifest, service_models
from flexlocal.distributions import BuildError
from shared.engine.poll import load_cell
from tests.built import CELLS, MANIFEST, ROOT, module

FAMILIES = sorted(family for family, provider in CELLS if provider == "aws")
EXAMPLE = {
    "version": "2.0",
    "metadata": {"endpointPrefix": "shop"},
    "operations": {
        "ListShops": {"input": {"shape": "In"}, "output": {"shape": "Out"}},
        "CloseShop": {"input": {"shape": "Shop"}, "errors": [{"shape": "Closed"}]},
    },
    "shapes": {
        "In": {"type": "structure", "members": {}},
        "Out": {"type": "structure", "members": {"Shops": {"shape": "Shops"}}},
        "Shops": {"type": "list", "member": {"shape": "Shop"}},
        "Shop": {"type": "structure", "members": {"Parent": {"shape": "Shop"}}},
        "Closed": {"type": "structure", "members": {"By": {"shape": "Text"}}, "exception": True},
        "Text": {"type": "string"},
    },
}


def read(file):
    return service_models.read(file.read_bytes())


def site(family):
    """Where the libraries are before anything is cut."""
    return distributions.site(MANIFEST, MANIFEST.modules[family].oldest)


@functools.cache
def models(family):
    """service: (its model in the zip, the whole model without its documentation)."""
    whole = site(family) / "botocore" / "botocore" / "data"
    found = {}
    for file in (module(family).folder / "lib/botocore/data").glob("*/*/service-2.json.gz"):
        name, version, _ = file.parts[-3:]
        all_of_it = service_models.without_documentation(read(whole / name / version / file.name))
        found[name] = read(file), {**all_of_it, "changed": service_models.CHANGED}
    return found


def test_an_operation_reaches_its_shapes_and_errors():
    cut = json.loads(gzip.decompress(service_models.cut(EXAMPLE, {"close_shop"})))
    assert [*cut["operations"]] == ["CloseShop"]
    assert [*cut["shapes"]] == ["Shop", "Closed", "Text"]
    cut = json.loads(gzip.decompress(service_models.cut(EXAMPLE, {"ListShops"})))
    assert [*cut["operations"]] == ["ListShops"]
    assert [*cut["shapes"]] == ["In", "Out", "Shops", "Shop"]
    assert cut["shapes"]["Shops"] == EXAMPLE["shapes"]["Shops"]
    assert (cut["version"], cut["metadata"]) == ("2.0", EXAMPLE["metadata"])


def test_names_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "cell.py"
    file.write_text(
        "PERMISSIONS = ('ec2:DescribeVpcs',)\n"
        "def fetch(scope):\n"
        "    aws.pages(scope, 'ec2', 'describe_subnets', 'Subnets')\n"
        "    return scope.client.describe_regions()\n"
    )
    names = service_models.names([file])
    assert names >= {"DescribeVpcs", "describe_subnets", "describe_regions"}


@pytest.mark.parametrize("family", FAMILIES)
def test_all_that_a_cell_may_call_is_in_its_zip(family):
    """What it declares: tests/test_aws_calls.py sees that it calls just this."""
    kept = {name for model, _ in models(family).values() for name in model["operations"]}
    known = {name for _, whole in models(family).values() for name in whole["operations"]}
    declared = {
        permission.rpartition(":")[2]
        for permissions in load_cell(f"modules.{family}.aws").permissions_by_handler.values()
        for permission in permissions
    }
    assert declared
    assert declared <= known
    assert declared <= kept
    assert {"AssumeRole", "GetCallerIdentity", "AssumeRoleWithWebIdentity"} <= kept
    assert len(kept) < len(known) / 10


def recorded(family):
    """The operations in the family's cassettes, but for those of REST, which are paths."""
    for file in (ROOT / "cassettes").glob(f"**/{family}/aws*.yaml"):
        for each in yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)["interactions"]:
            request = each["request"]
            target = request["headers"].get("X-Amz-Target")
            if target:
                yield re.search(r"\.(\w+)$", target[0])[1]
            elif request["body"]:
                body = request["body"]
                text = body if isinstance(body, str) else body.decode()
                yield from parse_qs(text).get("Action", ())


@pytest.mark.parametrize("family", FAMILIES)
def test_all_that_was_recorded_is_in_its_zip(family):
    called = set(recorded(family))
    assert "DescribeRegions" in called
    assert called <= {name for model, _ in models(family).values() for name in model["operations"]}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_kept_is_whole(family):
    for service, (model, whole) in models(family).items():
        for part in ("operations", "shapes"):
            assert model[part] == {name: whole[part][name] for name in model[part]}
        rest = {name: model[name] for name in model if name not in ("operations", "shapes")}
        assert rest == {name: whole[name] for name in whole if name not in ("operations", "shapes")}
        reader = ServiceModel(model, service)
        for name in reader.operation_names:
            operation = reader.operation_model(name)
            shapes = [operation.input_shape, operation.output_shape, *operation.error_shapes]
            seen = set()
            while shapes:
                shape = shapes.pop()
                if shape is not None and shape.name not in seen:
                    seen.add(shape.name)
                    shapes += [*getattr(shape, "members", {}).values()]
                    shapes += [getattr(shape, of, None) for of in ("member", "key", "value")]


@pytest.mark.parametrize("family", FAMILIES)
def test_endpoints_of_the_services_in_use_are_botocores(family):
    name = "botocore/data/endpoints.json"
    whole = EndpointResolver(json.loads((site(family) / "botocore" / name).read_bytes()))
    cut = EndpointResolver(json.loads((module(family).folder / "lib" / name).read_bytes()))
    assert cut.get_available_partitions() == whole.get_available_partitions()
    for service, (model, _) in models(family).items():
        prefix = model["metadata"]["endpointPrefix"]
        for partition in whole.get_available_partitions():
            regions = whole.get_available_endpoints(prefix, partition, True)
            assert cut.get_available_endpoints(prefix, partition, True) == regions
            for region in [*regions, "us-east-1", "xx-new-1"]:
                assert cut.construct_endpoint(prefix, region, partition) == (
                    whole.construct_endpoint(prefix, region, partition)
                ), (service, region)


def test_an_operation_that_is_not_in_it_is_found_at_build(tmp_path, monkeypatch):
    cut = service_models.cut
    monkeypatch.setattr(
        service_models,
        "cut",
        lambda model, names: cut(model, names - {"describe_volumes", "DescribeVolumes"}),
    )
    with pytest.raises(BuildError, match="'describe_volumes'"):
        build.build(manifest.load(), "volumes", ["aws"], tmp_path)
