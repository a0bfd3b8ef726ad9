"""The nouns: readings, meters, intervals, units, errors. Pure: nothing of MQTT, SQL, HTTP or files."""
