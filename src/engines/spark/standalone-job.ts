/** Looks after one job on a standalone master: what its notes say first, and what the master says where they are silent. */
import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import type { DriverClaim, JobNotes, Outcome } from './job-notes.ts';
import type { DriverStatus, StandaloneMaster } from './standalone-master.ts';

export interface WatchedJob {
  jobName: string;
  /** Submits it; answers what the master calls the submission. */
  submit: () => Promise<string>;
  started: (url: string) => Promise<void>;
  context: EngineContext;
}

/** The master may tell a driver's end before what its launcher wrote is seen in staging. */
export const OUTCOME_FOLLOWS_WITHIN_MS = 10_000;
/** A launcher gives a sign of life each second. */
const SILENT_AFTER_MS = 60_000;
/** A driver whose submission was not answered has claimed its name by then, or waits for a worker. */
const SUBMIT_AGAIN_AFTER_MS = 15_000;

export class StandaloneJob {
  url = '';
  readonly #master: StandaloneMaster;
  readonly #notes: JobNotes;
  readonly #job: WatchedJob;
  #endedAtMs: number | undefined;
  #aliveAtMs: number | undefined;
  #lastSignMs = performance.now();
  #unanswered: { atMs: number; error: EngineError } | undefined;

  constructor(master: StandaloneMaster, notes: JobNotes, job: WatchedJob) {
    this.#master = master;
    this.#notes = notes;
    this.#job = job;
  }

  /**
   * How the job ended; undefined while it works or waits. Submits it when nobody has.
   *
   * @throws EngineError `UnavailableError` while nobody can tell
   */
  async look(): Promise<Outcome | undefined> {
    const claim = await this.#notes.claim();
    if (claim !== undefined) await this.#show(claim.logUrl ?? this.#master.link(claim.submissionId));
    const verdict = await this.#notes.verdict();
    if (verdict !== undefined) return verdict;
    if (claim === undefined) return this.#lookForDriver();
    const outcome = await this.#notes.outcome();
    if (outcome === undefined) return this.#lookAtDriver(claim);
    return outcome.state === 'failed' ? this.#judge(claim, outcome) : outcome;
  }

  /** Nobody has claimed the name: it waits for a worker, or was never submitted, or ended before it came so far. */
  async #lookForDriver(): Promise<Outcome | undefined> {
    const { signal } = this.#job.context;
    const statuses = new Map<string, DriverStatus>();
    for (const id of await this.#notes.submissions()) {
      const status = await this.#master.status(id, signal);
      if (status !== undefined) statuses.set(id, status);
    }
    if (statuses.size === 0) return this.#submit();
    const [latest] = [...statuses.keys()].sort().slice(-1);
    await this.#show(this.#master.link(latest ?? ''));
    const ended = [...statuses.values()].filter(({ state }) => HAS_ENDED.has(state));
    if (ended.length < statuses.size || !this.#endedLongAgo()) return undefined;
    // Another submission, of which nobody knows, may still wait: it must not start when the next generation works.
    const { state, message } = ended.find((status) => status.state === 'KILLED') ?? ended[0] ?? NOTHING_SAID;
    const log = `Spark says ${state} of a driver that never came to run the application${message && `: ${message}`}`;
    const result: Outcome =
      state === 'KILLED' ? { state: 'killed', log } : { state: 'failed', log: `${log}; can it write to ${SHARED}?` };
    return (await this.#notes.close(result)) ? result : undefined;
  }

  async #submit(): Promise<undefined> {
    const { submit, context } = this.#job;
    const unanswered = this.#unanswered;
    if (unanswered !== undefined && performance.now() - unanswered.atMs < SUBMIT_AGAIN_AFTER_MS) throw unanswered.error;
    this.#endedAtMs = undefined;
    try {
      await this.#notes.submitted(await submit());
      this.#unanswered = undefined;
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof EngineError && error.type === 'UnavailableError') {
        this.#unanswered = { atMs: performance.now(), error };
      }
      throw error;
    }
  }

  /** A driver has claimed the name, and has not said how it ended. */
  async #lookAtDriver(claim: DriverClaim): Promise<Outcome | undefined> {
    const { submissionId } = claim;
    const silent = await this.#isSilent();
    const status = await this.#master.status(submissionId, this.#job.context.signal).catch((error: unknown) => {
      // It works on without its master.
      if (silent || !(error instanceof EngineError) || error.type !== 'UnavailableError') throw error;
      return undefined;
    });
    if (status !== undefined && SAID_ENDED.has(status.state)) {
      if (!this.#endedLongAgo()) return undefined;
      if (status.state !== 'FINISHED') {
        const log = `Spark says ${status.state} of ${submissionId}, whose launcher wrote no outcome: ${status.message}`;
        const result: Outcome = { state: status.state === 'KILLED' ? 'killed' : 'failed', log };
        return (await this.#notes.judge(result)) ? result : undefined;
      }
    }
    this.#endedAtMs = undefined;
    if (status?.state === 'RUNNING' || !silent) return undefined;
    // Unknown is not failed: somewhere it may still work.
    throw new EngineError(
      'UnavailableError',
      `${submissionId} gives no sign of life and has left no outcome; Spark says ${status?.state ?? 'nothing'} of it`,
    );
  }

  /**
   * An application fails also because somebody kills its driver, and that is known before the master says it: then it is
   * not to be run again.
   */
  async #judge({ submissionId }: DriverClaim, { log }: Outcome): Promise<Outcome | undefined> {
    const status = await this.#master.status(submissionId, this.#job.context.signal);
    const undecided = status !== undefined && !SAID_ENDED.has(status.state);
    if (undecided && !this.#endedLongAgo()) return undefined;
    const result: Outcome = { state: status?.state === 'KILLED' ? 'killed' : 'failed', log };
    return (await this.#notes.judge(result)) ? result : undefined;
  }

  async #show(url: string): Promise<void> {
    if (url === this.url) return;
    this.url = url;
    await this.#job.started(url);
  }

  #endedLongAgo(): boolean {
    this.#endedAtMs ??= performance.now();
    return performance.now() - this.#endedAtMs > OUTCOME_FOLLOWS_WITHIN_MS;
  }

  /** Told by what changes, since the file's clock is another one. */
  async #isSilent(): Promise<boolean> {
    const aliveAtMs = await this.#notes.aliveAtMs();
    if (aliveAtMs !== this.#aliveAtMs) {
      this.#aliveAtMs = aliveAtMs;
      this.#lastSignMs = performance.now();
    }
    return performance.now() - this.#lastSignMs > SILENT_AFTER_MS;
  }
}

/** Said by a master of a driver that does nothing any more. */
export const SAID_ENDED = new Set(['FINISHED', 'FAILED', 'KILLED']);
/** And of one that never came to work. */
const HAS_ENDED = new Set([...SAID_ENDED, 'ERROR']);
const NOTHING_SAID: DriverStatus = { state: 'nothing', message: '' };
const SHARED = 'the folder of STAGING_URI, as this service can';
