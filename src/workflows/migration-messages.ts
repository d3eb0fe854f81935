/** What goes into and comes out of `SchemaMigrationWorkflow`, its activities and its local activities: references only. */
import type { GateAnswer } from './messages.ts';

export const MIGRATION_WORKFLOW = 'SchemaMigrationWorkflow';

/** Of a migration's activities; the tables' engines are reached through them alone. */
export type MigrationActivityName =
  | 'validate_migration'
  | 'create_backup'
  | 'apply_migration'
  | 'validate_post_migration'
  | 'restore_backup'
  | 'release_backup';

type MigrationOutcome = 'COMPLETED' | 'ROLLED_BACK' | 'FAILED' | 'CANCELLED' | 'TERMINATED';
export type MigrationStatus = 'RUNNING' | MigrationOutcome;

/**
 * What a workflow of the migration is to do: all of it; only look whether it can be done (a dry run); or only put back what
 * an earlier workflow could not.
 */
export type MigrationTask = 'MIGRATE' | 'VALIDATE' | 'RESTORE';

/** Input of `SchemaMigrationWorkflow`: what is to be done stands in the store. */
export interface MigrationInput {
  migrationId: string;
  requestId: string;
  heartbeatTimeoutMs: number;
}

/** What `begin_migration` answers. Targets are named by their positions in the document. */
export interface MigrationPlan {
  task: MigrationTask;
  /** 1, and one more each time that the whole migration is tried again. */
  round: number;
  /** What each target is called in steps: its table's name, in most cases. */
  targets: string[];
  requiresApproval: boolean;
  gateTimeoutMs: number;
  /** Of a `RESTORE`: targets that may have been applied, and those of which a backup may be there. */
  restore: number[];
  release: number[];
  /** Of a `RESTORE`: why there is something to be put back. */
  reason: string;
}

/** What every activity of a migration is called with. */
export interface MigrationStepInput {
  migrationId: string;
  /** Of the request that started the migration: it is in every line that is logged of it. */
  requestId: string;
  round: number;
  position: number;
  /** `apply:<target>`, as people see it. */
  step: string;
}

/** Something of a target that a person has to look after, or retry. */
export interface LeftToDo {
  target: string;
  position: number;
  what: string;
}

/** Result of `SchemaMigrationWorkflow` (spec section 2). */
export interface MigrationResult {
  status: MigrationOutcome;
  reason?: string;
  round: number;
  /** Of a FAILED one: what could not be put back. */
  leftToDo?: LeftToDo[];
  /** What happened on the side: a backup that could not be released, a notification that reached nobody. */
  notes?: string[];
}

/** What the workflow itself reads and records, as local activities over the store. */
export interface MigrationRecorder {
  /** Null when the migration is closed, or was given up before it began. */
  begin_migration(of: { migrationId: string; runId: string }): Promise<MigrationPlan | null>;
  /** Opens the gate of the round; again, the same answer. */
  open_migration_gate(of: {
    migrationId: string;
    round: number;
    timeoutMs: number;
  }): Promise<{ gate: string; openedAtMs: number; deadlineAtMs: number }>;
  read_gate_answer(of: { executionId: string }): Promise<GateAnswer | null>;
  settle_gate(of: { executionId: string }): Promise<GateAnswer>;
  /** How a step ended, as the workflow saw it; what an attempt recorded itself stays. */
  end_migration_step(of: {
    migrationId: string;
    step: string;
    status: 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'SKIPPED';
    error?: string;
  }): Promise<void>;
  /** All targets are as they should be: from here on nothing is put back any more. */
  decide_migration(of: { migrationId: string; round: number }): Promise<void>;
  /** `cause`: why it was not done, without what could not be put back then. */
  close_migration(of: { migrationId: string; result: MigrationResult; cause?: string }): Promise<void>;
}
