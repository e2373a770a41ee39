/** Why Redis answers and reads, but refuses writes. */
export interface Refusal {
  /** Redis' own word, for metrics. */
  code: 'OOM' | 'MISCONF' | 'READONLY' | 'NOREPLICAS';
  /** What is wrong. */
  why: string;
  /** What to do in Redis. */
  advice: string;
}

const REFUSALS: readonly Refusal[] = [
  {
    code: 'OOM',
    why: 'its memory is used up (maxmemory)',
    advice: 'raise maxmemory, or remove what others keep in this Redis',
  },
  {
    code: 'MISCONF',
    why: 'it cannot persist to its disk (MISCONF)',
    advice: 'see the log of Redis; often the disk is full or its folder cannot be written',
  },
  {
    code: 'READONLY',
    why: 'it is a read-only replica (READONLY)',
    advice: 'LEASEHOLD_REDIS_URL must lead to the master, or a failover is under way',
  },
  {
    code: 'NOREPLICAS',
    why: 'too few of its replicas are connected (NOREPLICAS, min-replicas-to-write)',
    advice: 'bring the replicas back',
  },
];

/** Redis 6 puts the script before it, Redis 7 after. */
const CODE = /^(?:ERR Error running script.*-)?(OOM|MISCONF|READONLY|NOREPLICAS)\b/;

/** The refusal that an error of Redis, or the error that it led to, tells of; undefined where it tells of something else. */
export function refusalIn(error: unknown): Refusal | undefined {
  return answerIn(error)?.refusal;
}

/** The same, with the error that Redis itself answered: one for each write, however often it is wrapped and told of. */
export function answerIn(error: unknown): { refusal: Refusal; answer: Error } | undefined {
  if (!(error instanceof Error)) {
    return undefined;
  }
  const code = CODE.exec(error.message)?.[1];
  const refusal = REFUSALS.find((candidate) => candidate.code === code);
  return refusal ? { refusal, answer: error } : answerIn(error.cause);
}
