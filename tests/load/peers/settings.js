// Node-RED for the benchmark: loopback only, no editor login, no telemetry, logs at warn.
module.exports = {
  uiHost: '127.0.0.1', uiPort: Number(process.env.PORT), userDir: process.env.USER_DIR,
  flowFile: 'flows.json', httpNodeRoot: '/', httpAdminRoot: '/admin',
  credentialSecret: false, diagnostics: { enabled: false }, runtimeState: { enabled: false },
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: 'warn', metrics: false, audit: false } },
  functionExternalModules: false, exportGlobalContextKeys: false,
  contextStorage: { default: { module: 'memory' } }
};
