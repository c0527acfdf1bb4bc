"""The family of appliances."""
