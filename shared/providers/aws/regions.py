"""Where a provider's regions are: region code -> the places that CMP shows on its map.

City, country and coordinates are those of the metropolitan area that the provider names; no provider publishes the
addresses of its data centres.
AWS: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
"""

from typing import Any

from nflex_connector_utils import Locations, Region

# code: (the provider's name, city or state, country, latitude, longitude)
_AWS = {
    "af-south-1": ("Africa (Cape Town)", "Cape Town", "South Africa", -33.9, 18.4),
    "ap-east-1": ("Asia Pacific (Hong Kong)", "Hong Kong", "China", 22.3, 114.2),
    "ap-east-2": ("Asia Pacific (Taipei)", "Taipei", "Taiwan", 25.0, 121.6),
    "ap-northeast-1": ("Asia Pacific (Tokyo)", "Tokyo", "Japan", 35.7, 139.7),
    "ap-northeast-2": ("Asia Pacific (Seoul)", "Seoul", "South Korea", 37.6, 127.0),
    "ap-northeast-3": ("Asia Pacific (Osaka)", "Osaka", "Japan", 34.7, 135.5),
    "ap-south-1": ("Asia Pacific (Mumbai)", "Mumbai", "India", 19.1, 72.9),
    "ap-south-2": ("Asia Pacific (Hyderabad)", "Hyderabad", "India", 17.4, 78.5),
    "ap-southeast-1": ("Asia Pacific (Singapore)", "Singapore", "Singapore", 1.35, 103.8),
    "ap-southeast-2": ("Asia Pacific (Sydney)", "Sydney", "Australia", -33.9, 151.2),
    "ap-southeast-3": ("Asia Pacific (Jakarta)", "Jakarta", "Indonesia", -6.2, 106.8),
    "ap-southeast-4": ("Asia Pacific (Melbourne)", "Melbourne", "Australia", -37.8, 145.0),
    "ap-southeast-5": ("Asia Pacific (Malaysia)", "Kuala Lumpur", "Malaysia", 3.1, 101.7),
    "ap-southeast-6": ("Asia Pacific (New Zealand)", "Auckland", "New Zealand", -36.8, 174.8),
    "ap-southeast-7": ("Asia Pacific (Thailand)", "Bangkok", "Thailand", 13.8, 100.5),
    "ca-central-1": ("Canada (Central)", "Montreal", "Canada", 45.5, -73.6),
    "ca-west-1": ("Canada West (Calgary)", "Calgary", "Canada", 51.0, -114.1),
    "cn-north-1": ("China (Beijing)", "Beijing", "China", 39.9, 116.4),
    "cn-northwest-1": ("China (Ningxia)", "Zhongwei", "China", 37.5, 105.2),
    "eu-central-1": ("Europe (Frankfurt)", "Frankfurt", "Germany", 50.1, 8.7),
    "eu-central-2": ("Europe (Zurich)", "Zurich", "Switzerland", 47.4, 8.5),
    "eu-north-1": ("Europe (Stockholm)", "Stockholm", "Sweden", 59.3, 18.1),
    "eu-south-1": ("Europe (Milan)", "Milan", "Italy", 45.5, 9.2),
    "eu-south-2": ("Europe (Spain)", "Zaragoza", "Spain", 41.6, -0.9),
    "eu-west-1": ("Europe (Ireland)", "Dublin", "Ireland", 53.3, -6.3),
    "eu-west-2": ("Europe (London)", "London", "United Kingdom", 51.5, -0.1),
    "eu-west-3": ("Europe (Paris)", "Paris", "France", 48.9, 2.4),
    "il-central-1": ("Israel (Tel Aviv)", "Tel Aviv", "Israel", 32.1, 34.8),
    "me-central-1": ("Middle East (UAE)", "Dubai", "United Arab Emirates", 25.2, 55.3),
    "me-south-1": ("Middle East (Bahrain)", "Manama", "Bahrain", 26.2, 50.6),
    "mx-central-1": ("Mexico (Central)", "Querétaro", "Mexico", 20.6, -100.4),
    "sa-east-1": ("South America (São Paulo)", "São Paulo", "Brazil", -23.5, -46.6),
    "us-east-1": ("US East (N. Virginia)", "Ashburn", "United States", 39.0, -77.5),
    "us-east-2": ("US East (Ohio)", "Columbus", "United States", 40.0, -83.0),
    "us-gov-east-1": ("AWS GovCloud (US-East)", "Columbus", "United States", 40.0, -83.0),
    "us-gov-west-1": ("AWS GovCloud (US-West)", "Portland", "United States", 45.5, -122.7),
    "us-west-1": ("US West (N. California)", "San Francisco", "United States", 37.8, -122.4),
    "us-west-2": ("US West (Oregon)", "Boardman", "United States", 45.8, -119.7),
}


def aws(region: str) -> dict[str, Any]:
    """The place of an AWS region, as the keywords that nflex's resources take.

    ``locations`` for a region in the table, else ``region``, which CMP looks up by itself.
    """
    place = _AWS.get(region)
    if place is None:
        return {"region": Region(region)}
    name, city, country, latitude, longitude = place
    location = {
        "type": "provider",
        "region": {"id": region, "name": name},
        "city": {"name": city, "latitude": latitude, "longitude": longitude},
        "country": {"name": country},
    }
    return {"locations": Locations([location])}
