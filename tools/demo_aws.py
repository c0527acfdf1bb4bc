"""The account that the AWS cassettes are recorded from, on moto's server in this process.

moto is a simulator of AWS. Everything in the account is invented. It has three regions with servers in
mixed states, Windows and Linux, a deregistered AMI, volumes of several types (unattached,
multi-attach, without a name), IPv6, an Elastic IP, public and private subnets, tags, and names in several
scripts; load balancers of each type with targets of each type, gateways, a firewall, file systems; Direct
Connect (in part ours: tools/direct_connect.py), VPNs, peerings, and two transit gateways that are peers; a
global network with sites, and a core network (in part ours: tools/network_manager.py).
"""

import functools
from typing import Any

import botocore.session
import requests
from moto.server import ThreadedMotoServer

from tools import direct_connect, network_manager

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
KEY, SECRET = "AKIADEMOINVENTED0000", "invented-demo-secret"

# Names of images that moto has in each region. They are asked for by name: to list all of its 1,300 takes it 2 s.
WINDOWS = "Windows_Server-2016-English-Nano-Base-2017.10.13"
LINUX = (
    "CUDA9ClassicAmazonLinuxDLAMIwithMXNetTensorflowandCaffe2 ",
    "Deep Learning AMI Amazon Linux - 3.3_Oct2017",
    "Deep Learning AMI Ubuntu Linux - 2.4_Oct2017",
)
# name, instance type, subnet, Windows, state in the end
SERVERS: dict[str, list[tuple[str, str, str, bool, str]]] = {
    "us-east-1": [
        ("web-1", "t3.micro", "public-a", False, "running"),
        ("web-2", "t3.micro", "public-b", False, "running"),
        ("app-1", "m5.large", "private-a", False, "running"),
        ("app-2", "m5.large", "private-a", False, "running"),
        ("app-3", "m6g.large", "private-b", False, "stopped"),
        ("db-1", "r5.xlarge", "private-a", False, "running"),
        ("db-2", "r5.xlarge", "private-b", False, "running"),
        ("batch-old", "c5.2xlarge", "private-b", False, "terminated"),
        ("ad-1", "m5.large", "private-a", True, "running"),
        ("metal-1", "m5.metal", "private-b", False, "running"),
        ("", "t3.nano", "public-a", False, "running"),
    ],
    "eu-west-1": [
        ("café-serveur", "t3.small", "public-a", False, "running"),
        ("Zählwerk Süd", "t3.small", "public-b", False, "stopped"),
        ("сервер-1", "m5.large", "private-a", False, "running"),
        ("reports", "c5.large", "private-b", True, "stopped"),
        ("retired", "t2.micro", "private-b", False, "terminated"),
        ('cache <&> "1"', "r5.large", "private-a", False, "running"),
    ],
    "ap-northeast-1": [
        ("東京-web", "t3.medium", "public-a", False, "running"),
        ("東京-db", "r5.large", "private-a", False, "running"),
        ("検証用", "t3.micro", "private-b", False, "stopped"),
        ("edge-🚀", "t4g.small", "public-b", False, "running"),
    ],
}


def serve(host: str = "127.0.0.1", port: int = 0) -> tuple[ThreadedMotoServer, str]:
    """A moto server with the account in it, and its URL. The caller stops it.

    moto has one cloud a process: an earlier server's, and its checks of rights, are cleared away.
    """
    server = ThreadedMotoServer(host, port, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    requests.post(f"{url}/moto-api/reset-auth", data=b"inf", timeout=60).raise_for_status()
    requests.post(f"{url}/moto-api/reset", timeout=60).raise_for_status()
    direct_connect.add_to_moto()
    network_manager.add_to_moto()
    _seed(url)
    return server, url


def client(
    endpoint_url: str, service: str, region: str, key: str = KEY, secret: str = SECRET
) -> Any:
    """botocore's own client of the server."""
    return _session(key, secret).create_client(
        service, region_name=region, endpoint_url=endpoint_url
    )


@functools.cache
def _session(key: str, secret: str) -> botocore.session.Session:
    """One for all clients of a user: it keeps the services' models, which take long to read."""
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_credentials(key, secret)
    return session


def _seed(endpoint_url: str) -> None:
    created = {
        region: _seed_region(endpoint_url, region, 10 + number)
        for number, region in enumerate(REGIONS)
    }
    _join_regions(endpoint_url, created)
    _wide_area(client(endpoint_url, "networkmanager", REGIONS[0]), created)


def _seed_region(endpoint_url: str, region: str, octet: int) -> dict[str, str]:
    """Fill a region; the ids of what other regions are joined to."""
    ec2 = client(endpoint_url, "ec2", region)
    subnets = _network(ec2, region, octet)
    servers = _servers(ec2, region, subnets)
    _volumes(ec2, region, servers)
    (found,) = ec2.describe_subnets(SubnetIds=[subnets["public-a"]])["Subnets"]
    vpc = found["VpcId"]
    gateways = _gateways(ec2, region, vpc, subnets)
    _private_lines(client(endpoint_url, "directconnect", region), region, gateways)
    if region != "ap-northeast-1":
        _balancers(endpoint_url, region, vpc, subnets, servers)
    _storage(client(endpoint_url, "efs", region), subnets)
    if region == "us-east-1":
        firewalls = client(endpoint_url, "network-firewall", region)
        firewalls.create_firewall(
            FirewallName="perimeter",
            FirewallPolicyArn=f"arn:aws:network-firewall:{region}:123456789012:firewall-policy/strict",
            VpcId=vpc,
            SubnetMappings=[{"SubnetId": subnets["public-a"]}, {"SubnetId": subnets["public-b"]}],
            Description="Größe & Söhne",
            Tags=[{"Key": "owner", "Value": "netsec"}],
        )
    states: dict[str, list[str]] = {"stopped": [], "terminated": []}
    for name, _, _, _, state in SERVERS[region]:
        if state in states:
            states[state].append(servers[name])
    ec2.stop_instances(InstanceIds=states["stopped"])
    if states["terminated"]:
        ec2.terminate_instances(InstanceIds=states["terminated"])
    return {"vpc": vpc, **gateways}


def _gateways(ec2: Any, region: str, vpc: str, subnets: dict[str, str]) -> dict[str, str]:
    """NAT, egress-only, VPN, customer and transit gateways, and the VPNs between them; their ids."""
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_nat_gateway(
        SubnetId=subnets["public-a"],
        AllocationId=address,
        TagSpecifications=_tagged("natgateway", f"nat {region}"),
    )
    gone = ec2.create_nat_gateway(SubnetId=subnets["public-b"], ConnectivityType="private")
    ec2.delete_nat_gateway(NatGatewayId=gone["NatGateway"]["NatGatewayId"])
    ec2.create_egress_only_internet_gateway(VpcId=vpc)
    ec2.create_internet_gateway()  # attached to nothing
    vgw = ec2.create_vpn_gateway(
        Type="ipsec.1", TagSpecifications=_tagged("vpn-gateway", f"vgw {region}")
    )["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpcId=vpc, VpnGatewayId=vgw)
    tgw = ec2.create_transit_gateway(
        Description="hub", TagSpecifications=_tagged("transit-gateway", f"hub {region}")
    )["TransitGateway"]["TransitGatewayId"]
    named = ec2.create_customer_gateway(
        Type="ipsec.1",
        PublicIp="203.0.113.7",
        BgpAsn=65010,
        TagSpecifications=_tagged("customer-gateway", "本社"),
    )["CustomerGateway"]["CustomerGatewayId"]
    bare = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="198.51.100.9", BgpAsn=65011)
    bare_id = bare["CustomerGateway"]["CustomerGatewayId"]
    vpn = ec2.create_vpn_connection(
        Type="ipsec.1",
        CustomerGatewayId=named,
        VpnGatewayId=vgw,
        TagSpecifications=_tagged("vpn-connection", f"本社 - {region}"),
    )["VpnConnection"]["VpnConnectionId"]
    ec2.create_vpn_connection(Type="ipsec.1", CustomerGatewayId=bare_id, TransitGatewayId=tgw)
    ec2.create_transit_gateway_vpc_attachment(
        TransitGatewayId=tgw, VpcId=vpc, SubnetIds=[subnets["private-a"], subnets["private-b"]]
    )
    other = ec2.create_vpc(CidrBlock="172.20.0.0/16")["Vpc"]["VpcId"]  # without a name
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)
    ec2.accept_vpc_peering_connection(
        VpcPeeringConnectionId=peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    )
    return {"transit": tgw, "private": vgw, "customer": named, "vpn": vpn}


def _join_regions(endpoint_url: str, created: dict[str, dict[str, str]]) -> None:
    """Peerings from the first region to the second, of VPCs and of transit gateways."""
    here, there = REGIONS[:2]
    ec2, far = (client(endpoint_url, "ec2", region) for region in (here, there))
    peering = ec2.create_vpc_peering_connection(
        VpcId=created[here]["vpc"],
        PeerVpcId=created[there]["vpc"],
        PeerRegion=there,
        TagSpecifications=_tagged("vpc-peering-connection", "over the ocean"),
    )
    far.accept_vpc_peering_connection(
        VpcPeeringConnectionId=peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    )
    attachment = ec2.create_transit_gateway_peering_attachment(
        TransitGatewayId=created[here]["transit"],
        PeerTransitGatewayId=created[there]["transit"],
        PeerAccountId="123456789012",
        PeerRegion=there,
        TagSpecifications=_tagged("transit-gateway-attachment", "hub to hub"),
    )["TransitGatewayPeeringAttachment"]["TransitGatewayAttachmentId"]
    far.accept_transit_gateway_peering_attachment(TransitGatewayAttachmentId=attachment)
    created[here]["peering"] = attachment


def _wide_area(manager: Any, created: dict[str, dict[str, str]]) -> None:
    """Three sites with lines and connections between them, and a core network with what is attached."""
    ours = network_manager
    network = manager.create_global_network(
        Description="world", Tags=[{"Key": "Name", "Value": "世界"}]
    )["GlobalNetwork"]["GlobalNetworkId"]
    at = {"GlobalNetworkId": network}
    sites, devices, lines = [], [], []
    for name, latitude, longitude, carrier, speed in (
        ("本社", "35.68", "139.77", "Invented Telecom", 1000),
        ("Zürich", "47.37", "8.54", "Invented Telecom", 500),
        ("Lagos", "", "", "", 50),
    ):
        tags = [{"Key": "Name", "Value": name}]
        place = {"Address": f"1 Invented Street, {name}"}
        if latitude:
            place.update(Latitude=latitude, Longitude=longitude)
        site = manager.create_site(**at, Location=place, Tags=tags)["Site"]["SiteId"]
        rate = {"UploadSpeed": speed // 10, "DownloadSpeed": speed}
        more = {"Provider": carrier, "Type": "fibre"} if carrier else {}
        tags = [{"Key": "Name", "Value": f"line {name}"}]
        line = manager.create_link(**at, SiteId=site, Bandwidth=rate, Tags=tags, **more)["Link"]
        device = manager.create_device(
            **at, SiteId=site, Vendor="Invented", Tags=[{"Key": "Name", "Value": f"edge {name}"}]
        )["Device"]["DeviceId"]
        ours.associate(network, device, line["LinkId"])
        sites.append(site)
        devices.append(device)
        lines.append(line["LinkId"])
    for far in (1, 2):
        ours.connection(
            network,
            ends=(devices[0], devices[far]),
            links=(lines[0], lines[far]),
            name=f"本社 - {far}",
        )
    here, there = REGIONS[:2]
    arn = f"arn:aws:ec2:{{}}:{ours.OWNER}:{{}}/{{}}".format
    gateway = arn(here, "customer-gateway", created[here]["customer"])
    ours.associate_gateway(network, devices[0], lines[0], gateway)
    core = manager.create_core_network(**at, Tags=[{"Key": "Name", "Value": "backbone"}])
    name = core["CoreNetwork"]["CoreNetworkId"]
    ours.attachment(name, "VPC", arn(here, "vpc", created[here]["vpc"]), here, "shop")
    ours.attachment(
        name, "SITE_TO_SITE_VPN", arn(there, "vpn-connection", created[there]["vpn"]), there, ""
    )
    foreign = "arn:aws:ec2:eu-central-1:210987654321:vpc/vpc-0123456789abcdef0"
    ours.attachment(
        name,
        "VPC",
        foreign,
        "eu-central-1",
        "partner",
        OwnerAccountId="210987654321",
        State="PENDING_ATTACHMENT_ACCEPTANCE",
    )
    transit = arn(here, "transit-gateway", created[here]["transit"])
    ours.peering(name, transit, here, created[here]["peering"], "hub to backbone")


def _private_lines(lines: Any, region: str, gateways: dict[str, str]) -> None:
    """Direct Connect in two of the regions: a LAG with a line, a hosted line, and what runs on them."""
    location = {"us-east-1": "EqDC2", "ap-northeast-1": "EqTY2"}.get(region)
    if not location:
        return
    number = 16 * (1 + REGIONS.index(region))
    lag = lines.create_lag(
        numberOfConnections=2,
        location=location,
        connectionsBandwidth="10Gbps",
        lagName=f"backbone {region}",
        providerName="Invented Telecom",
    )
    line = lines.create_connection(
        location=location,
        bandwidth="10Gbps",
        connectionName="東京 DC1" if location == "EqTY2" else "Ashburn DC",
        lagId=lag["lagId"],
        providerName="Invented Telecom",
        tags=[{"key": "site", "value": location}],
    )
    hosted = lines.create_connection(
        location=location, bandwidth="500Mbps", connectionName="", providerName="Invented Telecom"
    )
    old = lines.create_connection(location=location, bandwidth="1Gbps", connectionName="given up")
    lines.delete_connection(connectionId=old["connectionId"])
    hub = direct_connect.gateway(number, f"global {region}")
    add = direct_connect.interface
    add(region, number, line, "private", virtualGatewayId=gateways["private"])
    add(region, number + 1, line, "transit", directConnectGatewayId=hub)
    add(region, number + 2, hosted, "public", addressFamily="ipv4")
    add(region, number + 3, hosted, "private", virtualInterfaceState="deleted")


def _balancers(
    endpoint_url: str, region: str, vpc: str, subnets: dict[str, str], servers: dict[str, str]
) -> None:
    """One of each type; targets by instance, by address, another load balancer, and one that is gone."""
    elb, old = (client(endpoint_url, service, region) for service in ("elbv2", "elb"))
    ec2 = client(endpoint_url, "ec2", region)
    public, private = (
        [subnets[f"{tier}-a"], subnets[f"{tier}-b"]] for tier in ("public", "private")
    )
    first, second = (servers[each[0]] for each in SERVERS[region][:2])
    described = ec2.describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"][0]
    address = described["PrivateIpAddress"]
    arns = {}
    for name, kind, scheme, zones in (
        ("shop", "application", "internet-facing", public),
        ("inner", "application", "internal", private),
        ("fast", "network", "internal", private),
        ("inspect", "gateway", "internal", private),
    ):
        more: dict[str, Any] = {} if kind == "gateway" else {"Scheme": scheme}
        if name == "shop":
            more["Tags"] = [{"Key": "stage", "Value": "prod"}]
        (balancer,) = elb.create_load_balancer(Name=name, Type=kind, Subnets=zones, **more)[
            "LoadBalancers"
        ]
        arns[name] = balancer["LoadBalancerArn"]
    for name, kind, protocol, on, target in (
        ("web", "instance", "HTTP", "shop", first),
        ("web-by-address", "ip", "HTTP", "inner", address),
        ("alb-behind-nlb", "alb", "TCP", "fast", arns["inner"]),
        ("unused", "instance", "HTTP", None, second),
    ):
        (group,) = elb.create_target_group(
            Name=name, Protocol=protocol, Port=80, VpcId=vpc, TargetType=kind
        )["TargetGroups"]
        arn = group["TargetGroupArn"]
        targets = [{"Id": target, "Port": 80}]
        elb.register_targets(TargetGroupArn=arn, Targets=targets)
        if on:
            elb.create_listener(
                LoadBalancerArn=arns[on],
                Protocol=protocol,
                Port=80,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
            )
    listener = {"Protocol": "TCP", "LoadBalancerPort": 25, "InstancePort": 25}
    old.create_load_balancer(
        LoadBalancerName="mail",
        Listeners=[listener],
        Subnets=private,
        Tags=[{"Key": "since", "Value": "2012"}],
    )
    old.register_instances_with_load_balancer(
        LoadBalancerName="mail", Instances=[{"InstanceId": second}]
    )


def _storage(efs: Any, subnets: dict[str, str]) -> None:
    tags = [{"Key": "Name", "Value": "homes"}]
    created = efs.create_file_system(CreationToken="homes", Encrypted=True, Tags=tags)
    for name in ("private-a", "private-b"):
        efs.create_mount_target(FileSystemId=created["FileSystemId"], SubnetId=subnets[name])
    efs.create_file_system(CreationToken="scratch")  # without a name, mounted nowhere


def _network(ec2: Any, region: str, octet: int) -> dict[str, str]:
    """A VPC with two public and two private subnets; returns the subnets' ids by name."""
    vpc = ec2.create_vpc(
        CidrBlock=f"10.{octet}.0.0/16",
        AmazonProvidedIpv6CidrBlock=True,
        TagSpecifications=_tagged("vpc", f"shop {region}", owner="Größe & Söhne"),
    )["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock=f"10.{octet + 100}.0.0/16")
    (described,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    ipv6 = described["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].split("::")[0]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    subnets = {}
    for number, name in enumerate(("public-a", "public-b", "private-a", "private-b")):
        zone = f"{region}{'a' if name.endswith('a') else 'c'}"
        more = {"Ipv6CidrBlock": f"{ipv6}::/64"} if name == "public-a" else {}
        subnets[name] = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.{octet}.{number}.0/24",
            AvailabilityZone=zone,
            TagSpecifications=_tagged("subnet", name, tier=name.partition("-")[0]),
            **more,
        )["Subnet"]["SubnetId"]
        if name.startswith("public"):
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[name])
            ec2.modify_subnet_attribute(
                SubnetId=subnets[name], MapPublicIpOnLaunch={"Value": name == "public-a"}
            )
    ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{octet + 100}.0.0/24")  # without a name
    return subnets


def _servers(ec2: Any, region: str, subnets: dict[str, str]) -> dict[str, str]:
    """The instances, on an Amazon AMI, a Windows AMI or an own one that is gone; ids by name."""
    by_name = {
        image["Name"]: image["ImageId"]
        for image in ec2.describe_images(
            Owners=["amazon"], Filters=[{"Name": "name", "Values": [WINDOWS, *LINUX]}]
        )["Images"]
    }
    servers: dict[str, str] = {}
    for name, kind, subnet, is_windows, _ in SERVERS[region]:
        image = WINDOWS if is_windows else LINUX[len(servers) % len(LINUX)]
        more: dict[str, Any] = {}
        if name.startswith("db-"):
            more["EbsOptimized"] = True
        if name == "web-1":
            more["Ipv6AddressCount"] = 1
        servers[name] = ec2.run_instances(
            ImageId=by_name[image],
            InstanceType=kind,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnets[subnet],
            TagSpecifications=_tagged("instance", name, stage="prod", кто="команда"),
            **more,
        )["Instances"][0]["InstanceId"]
    first = next(iter(servers.values()))
    own = ec2.create_image(InstanceId=first, Name=f"golden-{region}")["ImageId"]
    gone = ec2.run_instances(
        ImageId=own,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnets["private-a"],
        TagSpecifications=_tagged("instance", "from-deregistered-image"),
    )["Instances"][0]["InstanceId"]
    ec2.deregister_image(ImageId=own)
    servers["from-deregistered-image"] = gone
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=first)
    return servers


def _volumes(ec2: Any, region: str, servers: dict[str, str]) -> None:
    zone, running = f"{region}a", [servers[each[0]] for each in SERVERS[region]][:2]

    def create(name: str, **more: Any) -> str:
        tags = _tagged("volume", name, backup="täglich") if name else []
        created = ec2.create_volume(AvailabilityZone=zone, TagSpecifications=tags, **more)
        return created["VolumeId"]

    create("nicht-angehängt", Size=100, VolumeType="gp3", Iops=4000, Throughput=250)
    create("", Size=1, VolumeType="standard")
    data = create("data", Size=500, VolumeType="gp3", Throughput=500, Encrypted=True)
    ec2.attach_volume(VolumeId=data, InstanceId=running[0], Device="/dev/sdf")
    shared = create("quorum", Size=20, VolumeType="io2", Iops=2000, MultiAttachEnabled=True)
    # moto keeps one attachment a volume, so that a second server would show at one end only
    ec2.attach_volume(VolumeId=shared, InstanceId=running[1], Device="/dev/sdq")


def _tagged(kind: str, name: str, **tags: str) -> list[dict[str, Any]]:
    named = {"Name": name, **tags} if name else tags
    if not named:
        return []
    listed = [{"Key": key, "Value": value} for key, value in named.items()]
    return [{"ResourceType": kind, "Tags": listed}]
