// Publishes each line of stdin at QoS 1 and ends once all are acknowledged: `node push.js PORT VERSION TOPIC`.
import mqtt from "mqtt";
import { readFileSync } from "node:fs";

const [port, version, topic] = process.argv.slice(2);
const lines = readFileSync(0, "utf8").split("\n").filter(Boolean);
const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
  protocolVersion: Number(version),
  clientId: "mqttjs",
  clean: false,
  reconnectPeriod: 200,
  properties: version === "5" ? { sessionExpiryInterval: 60 } : undefined,
});
client.on("error", (error) => console.error(String(error)));
// A hundred at a time: after a cut it sends again one by one, each with a commit to wait for.
for (let at = 0; at < lines.length; at += 100) {
  await Promise.all(lines.slice(at, at + 100).map((line) => client.publishAsync(topic, line, { qos: 1 })));
}
await client.endAsync();
