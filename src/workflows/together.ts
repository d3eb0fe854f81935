import { CancellationScope } from '@temporalio/workflow';

/**
 * Runs tasks side by side; when one fails the others are cancelled, and all have ended before the first failure is
 * thrown: a run never ends while one of its activities still works.
 */
export async function together(tasks: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  await CancellationScope.cancellable(async () => {
    const scope = CancellationScope.current();
    await Promise.all(
      tasks.map(async (task) => {
        try {
          await task();
        } catch (error) {
          failures.push(error);
          scope.cancel();
        }
      }),
    );
  });
  if (failures.length > 0) throw failures[0];
}
