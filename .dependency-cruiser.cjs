/**
 * The architecture as rules: schemas say what may be asked, the API starts it, a workflow tells the story,
 * activities touch the world; imports point only that way. Type-only imports cost nothing at run time and are free.
 */
const typesOnly = { dependencyTypesNot: ['type-only'] };
const entries = '^src/(server|worker|api|cli)\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'schemas-import-nothing-of-ours',
      severity: 'error',
      from: { path: '^src/schemas' },
      to: { path: '^src/(?!schemas/)' },
    },
    {
      name: 'workflows-are-pure',
      comment: 'Workflows run in the sandbox: values come only from workflows/.',
      severity: 'error',
      from: { path: '^src/workflows' },
      to: { path: '^src/(?!workflows/)', ...typesOnly },
    },
    {
      name: 'workflows-use-only-the-workflow-sdk',
      severity: 'error',
      from: { path: '^src/workflows' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev'],
        pathNot: 'node_modules/@temporalio/(workflow|common)/',
        ...typesOnly,
      },
    },
    {
      name: 'activities-know-nothing-of-api-or-workflows',
      severity: 'error',
      from: { path: '^src/activities' },
      to: { path: '^src/(api|workflows|pipelines/(?!resolve-definition))', ...typesOnly },
    },
    {
      name: 'engines-know-nothing-of-temporal',
      severity: 'error',
      from: { path: '^src/(engines|notify|store)/' },
      to: { path: 'node_modules/@temporalio/|^src/(activities|workflows|api|pipelines|temporal)/', ...typesOnly },
    },
    {
      name: 'api-starts-and-asks-only',
      comment: 'Routes call the pipeline services; they never reach an engine or an activity.',
      severity: 'error',
      from: { path: '^src/api/' },
      to: { path: '^src/(activities|engines|notify)/', ...typesOnly },
    },
    {
      name: 'metrics-are-a-leaf',
      severity: 'error',
      from: { path: '^src/metrics' },
      to: { path: '^src/(?!metrics/)', ...typesOnly },
    },
    {
      name: 'config-is-read-at-the-entries-only',
      severity: 'error',
      from: { path: '^src/', pathNot: entries },
      to: { path: '^src/config\\.ts$', ...typesOnly },
    },
    {
      name: 'only-entries-compose',
      severity: 'error',
      from: { path: '^src/(?!(server|worker|api)\\.ts|compose/)' },
      to: { path: '^src/compose/' },
    },
    { name: 'nobody-imports-an-entry', severity: 'error', from: {}, to: { path: entries } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
