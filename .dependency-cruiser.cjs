// Which rooms may know which (docs/architecture.md). An arrow reads "imports"; nothing points up.
const shared = (room) => `^src/shared/${room}/`;

/** A room that may import only the given rooms of ours. */
const mayKnow = (room, path, allowed) => ({
  name: `${room}-knows-too-much`,
  severity: 'error',
  from: { path },
  to: { path: '^src/', pathNot: [path, ...allowed] },
});

const domain = shared('domain');
const ports = shared('ports');
const telemetry = shared('telemetry');
const generated = '^src/gen/';
const tunnel = shared('tunnel');
const generatedTunnel = '^src/gen/leasehold/tunnel/';
const processLife = '^src/shared/(run-process|parse-settings|text-field|log-level|proxy-environment)[.]ts$';

module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    mayKnow('domain', domain, []),
    mayKnow('telemetry', telemetry, [domain]),
    mayKnow('ports', ports, [domain]),
    mayKnow('leases', shared('leases'), [domain, ports, telemetry]),
    mayKnow('configs', shared('configs'), [domain, ports, telemetry, shared('leases'), shared('gateways')]),
    mayKnow('gateways', shared('gateways'), [domain, ports, shared('leases')]),
    mayKnow('relay', shared('relay'), [domain, ports, telemetry, shared('tunnel')]),
    mayKnow('kubernetes', shared('kubernetes'), [domain, ports, telemetry]),
    mayKnow('sealing', shared('sealing'), [domain, ports]),
    mayKnow('authorization', shared('authorization'), [domain, ports, '^src/shared/watched-files[.]ts$']),
    mayKnow('redis', shared('redis'), [domain, ports, shared('sealing')]),
    mayKnow('queue', shared('queue'), [domain, ports, shared('redis')]),
    mayKnow('tunnel', tunnel, [domain, generatedTunnel]),
    mayKnow('server', '^src/server/', ['^src/shared/', generated]),
    mayKnow('worker', '^src/worker/', ['^src/shared/']),
    mayKnow('cli', '^src/cli/', [domain, shared('authorization')]),
    // It runs in clusters of others: no more of us than it needs.
    mayKnow('gateway', '^src/gateway/', [tunnel, generatedTunnel, domain, telemetry, processLife]),
    {
      name: 'the-domain-does-no-io',
      severity: 'error',
      from: { path: domain },
      to: { pathNot: ['^src/', '^(crypto|util)$'] },
    },
    {
      name: 'adapters-are-wired-in-one-place',
      severity: 'error',
      from: { path: '^src/(server|worker)/' },
      to: {
        path: [shared('kubernetes'), shared('redis'), shared('sealing')],
        // Where may be dialled is judged in one place, also for issuers of callers.
        pathNot: shared('kubernetes/egress'),
      },
    },
    {
      name: 'the-wire-stays-at-the-edge',
      severity: 'error',
      from: { path: '^src/shared/', pathNot: tunnel },
      to: { path: generated },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // TypeScript 7 has no API yet that the tool could parse with.
    parser: 'swc',
    enhancedResolveOptions: { conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
