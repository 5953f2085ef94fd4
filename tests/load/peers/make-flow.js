// Writes flows.json into USER_DIR. QOS=0|1, BROKER_PORT.
const qos = process.env.QOS, port = process.env.BROKER_PORT, folder = process.env.USER_DIR;
const flow = [
 {id:'t1',type:'tab',label:'command gateway'},
 {id:'br',type:'mqtt-broker',name:'',broker:'127.0.0.1',port,clientid:'nodered',autoConnect:true,usetls:false,protocolVersion:'4',keepalive:'60',cleansession:true},
 {id:'in',type:'http in',z:'t1',name:'',url:'/v5/iot/:project/devices/:device/commands',method:'post',upload:false,wires:[['reg']]},
 // Correlation: remember msg (it holds res) under a fresh request id, rebuild the payload, time out after 20 s.
 {id:'reg',type:'function',z:'t1',name:'send',outputs:2,timeout:0,noerr:0,initialize:"flow.set('n',0);flow.set('wait',new Map());",finalize:'',libs:[],
  func:`const n = flow.get('n') + 1; flow.set('n', n);
const wait = flow.get('wait');
const id = String(n), device = msg.req.params.device;
const t = setTimeout(() => { wait.delete(id); msg.statusCode = 504; msg.payload = {error_code:'IOTDA.014016'}; node.send([null, msg]); }, 20000);
wait.set(id, {msg, t});
const p = msg.payload; p.object_device_id = device;
return [{topic: '$oc/devices/' + device + '/sys/commands/request_id=' + id, payload: JSON.stringify(p)}, null];`,
  wires:[['out'],['res']]},
 {id:'out',type:'mqtt out',z:'t1',name:'',topic:'',qos,retain:'false',broker:'br',wires:[]},
 {id:'sub',type:'mqtt in',z:'t1',name:'',topic:'$oc/devices/+/sys/commands/response/+',qos,datatype:'json',broker:'br',nl:false,rap:true,rh:0,inputs:0,wires:[['match']]},
 {id:'match',type:'function',z:'t1',name:'match',outputs:1,timeout:0,noerr:0,initialize:'',finalize:'',libs:[],
  func:`const id = msg.topic.slice(msg.topic.lastIndexOf('=') + 1);
const wait = flow.get('wait'), w = wait.get(id);
if (!w) return null;
wait.delete(id); clearTimeout(w.t);
w.msg.payload = {command_id: id, response: msg.payload}; w.msg.statusCode = 200; w.msg.headers = {};
return w.msg;`,
  wires:[['res']]},
 {id:'res',type:'http response',z:'t1',name:'',statusCode:'',headers:{},wires:[]},
];
// A node without coordinates would be taken for a configuration node.
flow.forEach((n, i) => { if (n.z) { n.x = 100 + 120 * i; n.y = 100; } });
require('fs').mkdirSync(folder, {recursive:true});
require('fs').writeFileSync(folder + '/flows.json', JSON.stringify(flow, null, 1));
