/** What goes into and comes out of `TableMaintenanceWorkflow`, its activity and its local activity. */

export const MAINTENANCE_WORKFLOW = 'TableMaintenanceWorkflow';

/** In their order. The two looks at the table are always there. */
export const MAINTENANCE_STEPS = ['measure_before', 'rewrite', 'expire', 'orphans', 'measure_after'] as const;
export type MaintenanceStep = (typeof MAINTENANCE_STEPS)[number];
export type MaintenanceStatus = 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TERMINATED';

/** What is to be done, with the table's own rules where it says nothing; null: not at all. */
export interface MaintenancePlan {
  rewrite: { targetFileSizeBytes: number; minInputFiles: number } | null;
  expire: { olderThanMs?: number | undefined; retainLast?: number | undefined } | null;
  orphans: { olderThanMs: number } | null;
}

/** How far a step is; times are ISO 8601. */
export interface MaintenanceStepRecord {
  step: MaintenanceStep;
  status: 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
  /** Those that a lost worker took with it among them. */
  attempts?: number;
  /** Of the last attempt. */
  startedAt?: string;
  finishedAt?: string;
  /** Counts. */
  result?: Record<string, number | string | null>;
  error?: { type: string; message: string };
  externalUrl?: string;
}

/** Input of `TableMaintenanceWorkflow`; what is to be done stands in the store. */
export interface MaintenanceInput {
  maintenanceId: string;
  requestId: string;
  steps: MaintenanceStep[];
  /** Whether files are rewritten by a job that goes on without its activity. */
  remote: boolean;
  heartbeatTimeoutMs: number;
}

/** What `compact_iceberg_table` is called with. */
export interface MaintenanceStepInput {
  maintenanceId: string;
  requestId: string;
  step: MaintenanceStep;
  /** End the step's job, since nobody goes on with it. */
  stop?: true;
}

/** Result of `TableMaintenanceWorkflow`. */
export interface MaintenanceOutcome {
  status: MaintenanceStatus;
  reason?: string;
}
