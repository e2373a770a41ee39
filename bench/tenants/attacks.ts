/** What the attacking thread is given: all that it knows. */
export interface AttackOrder {
  name: AttackName;
  /** Address of the server, and the CA that verifies it. */
  address: string;
  serverCa: string;
  keys: { attacker: string; auditor: string; writer: string };
  issuer: string;
  /** The attacker's config. */
  config: string;
  /** How the attacker reaches the victim's API server. */
  access: { url: string; caPem: string; token: string };
  namespace: string;
}

/** Calls that the attacker made so far. */
export interface AttackCount {
  answered: number;
  refused: number;
  /** Why the last was refused. */
  reason: string;
}

/** What one tenant, or someone without credentials, does to the server. */
export const ATTACKS = {
  checks: '250 CheckConfigs at once, 64 namespaces',
  drafts: 'a draft with a wrong server_name each 150 ms',
  rest: 'own token gets 429, Retry-After: 60',
  timeouts: 'own calls are never answered',
  waits: '250 issues with one request_id, not answered',
  issues: 'issues with 64 callers',
  forgeries: '600 forged tokens at once; its own are new',
  bodies: 'bodies without credentials, 12 connections',
} as const;

export type AttackName = keyof typeof ATTACKS;

export const ATTACK_NAMES = Object.keys(ATTACKS) as AttackName[];
