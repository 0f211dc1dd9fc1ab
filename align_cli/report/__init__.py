"""Error map, displacement map, summary and JSON document of an alignment."""
