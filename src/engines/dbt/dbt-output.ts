import type { EngineContext } from '../dataset.ts';

/** Errors that dbt told; more than these are only in the log. */
const KEPT_ERRORS = 20;
const KEPT_LAST_LINES = 5;

interface DbtEvent {
  info?: { level?: string; msg?: string };
}

/** dbt's lines (`--log-format json`, an event each) as lines of the step's log, with its errors kept for the step's own. */
export class DbtOutput {
  readonly #errors: string[] = [];
  #lastWords: string[] = [];
  readonly #context: EngineContext;
  readonly #redact: (text: string) => string;

  constructor(context: EngineContext, redact: (text: string) => string) {
    this.#context = context;
    this.#redact = redact;
  }

  /** What dbt called errors; the end of what it wrote when it told none. */
  get errors(): readonly string[] {
    return this.#errors.length > 0 ? this.#errors : this.#lastWords;
  }

  line(text: string): void {
    const { level, message } = parse(text);
    const told = this.#redact(message).trim();
    if (told === '') return;
    this.#context.log(level, told);
    this.#lastWords = [...this.#lastWords, told].slice(-KEPT_LAST_LINES);
    if (level === 'error' && this.#errors.length < KEPT_ERRORS) this.#errors.push(told);
  }
}

/** What is no event, such as a Python traceback, is told as it is. */
function parse(text: string): { level: 'info' | 'warn' | 'error'; message: string } {
  try {
    const { info } = JSON.parse(text) as DbtEvent;
    if (typeof info?.msg !== 'string') return { level: 'info', message: text };
    const { level } = info;
    return { level: level === 'error' || level === 'warn' ? level : 'info', message: info.msg };
  } catch {
    return { level: 'info', message: text };
  }
}
