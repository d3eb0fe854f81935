/** How people are told. One interface for the log now; Slack, mail and PagerDuty stand behind the same. */
import type { Logger } from 'pino';

export type Severity = 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

interface Notification {
  severity: Severity;
  /** One line. */
  title: string;
  /** Where the pipeline wants it: its `orchestration.notifications`. */
  targets: { slack?: string | undefined; email?: readonly string[] | undefined; pagerduty?: boolean | undefined };
  /** Identity of the event, the same however often it is told. */
  key: string;
  facts: Record<string, string | number>;
}

export interface Notifier {
  send(notification: Notification, signal: AbortSignal): Promise<void>;
}

/** Tells the log. */
export function createLogNotifier(logger: Logger): Notifier {
  return {
    send({ severity, title, key, facts }) {
      const level = severity === 'INFO' ? 'info' : severity === 'WARNING' ? 'warn' : 'error';
      logger[level]({ key, severity, ...facts }, title);
      return Promise.resolve();
    },
  };
}
