import { z } from 'zod';
import type { Ports } from '../../src/shared/ports/ports.ts';
import type { Logger } from '../../src/shared/telemetry/logger.ts';
import { watchedPorts } from './watched-ports.ts';

const FaultPoint = z.object({
  /** As `watchedPorts` names it. */
  step: z.string(),
  /** Which of the calls of that name: 1 is the first. */
  call: z.int().min(1),
  moment: z.enum(['before', 'after']),
  signal: z.enum(['SIGKILL', 'SIGSTOP']),
});

/** A place in a process' work, and the signal that it sends itself there. */
export type FaultPoint = z.infer<typeof FaultPoint>;

/** How a process is told its fault point. */
export function faultEnvironment(point: FaultPoint): Record<string, string> {
  return { FAULT_POINT: JSON.stringify(point) };
}

/** The log message with which a process without a fault point tells each step that it takes. */
export const STEP_TAKEN = 'step taken';

/** Ports that hold the fault point of the environment; without one, they tell their steps. */
export function aroundPorts(log: Logger): (ports: Ports) => Ports {
  const text = process.env['FAULT_POINT'];
  return text === undefined ? withRecorder(log) : withFaultPoint(FaultPoint.parse(JSON.parse(text)));
}

function withRecorder(log: Logger): (ports: Ports) => Ports {
  const before = (step: string) => log.info({ step }, STEP_TAKEN);
  return (ports) => watchedPorts(ports, { before, after: () => undefined });
}

function withFaultPoint(point: FaultPoint): (ports: Ports) => Ports {
  const at = (moment: FaultPoint['moment']) => {
    let calls = 0;
    return (step: string) => {
      if (point.moment === moment && point.step === step && ++calls === point.call) {
        process.kill(process.pid, point.signal);
      }
    };
  };
  return (ports) => watchedPorts(ports, { before: at('before'), after: at('after') });
}
