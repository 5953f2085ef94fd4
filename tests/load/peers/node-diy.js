// The do-it-yourself peer: Node's own http + MQTT.js, correlation in a Map.
const http = require('http'), mqtt = require('mqtt');
// PORT, QOS=0|1, BROKER_PORT.
const qos = Number(process.env.QOS), port = Number(process.env.PORT), bport = Number(process.env.BROKER_PORT);
const wait = new Map(); let n = 0;
const c = mqtt.connect({host:'127.0.0.1', port:bport, clientId:'node-diy'});
c.on('connect', () => { if (c.stream.setNoDelay) c.stream.setNoDelay(true); c.subscribe('$oc/devices/+/sys/commands/response/+', {qos}, start); });
c.on('message', (topic, payload) => {
  const id = topic.slice(topic.lastIndexOf('=') + 1), w = wait.get(id);
  if (!w) return; wait.delete(id); clearTimeout(w.t);
  let r; try { r = JSON.parse(payload); } catch { w.res.writeHead(502); return w.res.end(); }
  const b = JSON.stringify({command_id:id, response:r});
  w.res.writeHead(200, {'content-type':'application/json','content-length':Buffer.byteLength(b)}); w.res.end(b);
});
let started = false;
function start() { if (started) return; started = true; http.createServer((req, res) => {
  if (req.url === '/healthz') return res.end('ok');
  const m = /^\/v5\/iot\/[^/]+\/devices\/([^/]+)\/commands$/.exec(req.url);
  if (!m || req.method !== 'POST') { res.writeHead(404); return res.end(); }
  const parts = []; req.on('data', d => parts.push(d)); req.on('end', () => {
    let v; try { v = JSON.parse(Buffer.concat(parts)); } catch { res.writeHead(400); return res.end(); }
    v.object_device_id = m[1]; const id = String(++n);
    wait.set(id, {res, t: setTimeout(() => { wait.delete(id); res.writeHead(504); res.end('{}'); }, 20000)});
    c.publish('$oc/devices/' + m[1] + '/sys/commands/request_id=' + id, JSON.stringify(v), {qos});
  });
}).listen(port, '127.0.0.1'); }
