"""From deliveries to committed readings: topics, payloads, stages, acknowledgement. See README.md."""
