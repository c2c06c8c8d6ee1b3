/**
 * The files to mutate and the tests that should detect it. One failing test is enough, so the most likely ones come first.
 * Race tests are left out: they would add half a minute for each mutant that survives.
 */
interface Part {
  mutate: string[]
  tests: string[]
}

export const parts: Record<string, Part> = {
  crypto: {
    // strength-words.ts is prose.
    mutate: ['src/crypto/!(strength-words).ts'],
    tests: [
      ...tests('crypto', 'digest', 'random', 'tokens', 'password', 'strength'),
      'test/config.test.ts',
      ...tests('routes', 'sessions', 'webhooks'),
      ...tests('security', 'breach', 'abuse'),
    ],
  },
  http: {
    // Access, limits, refusals and routes. The other files of the folder only add headers and texts to answers and the log.
    mutate: [
      'src/http/{authenticate,body,client-address,cors,limit-rate,origin,problem,router,validate,with-context}.ts',
    ],
    tests: [
      ...tests('http', 'problem', 'validate', 'router', 'conventions', 'failures', 'hostile-input', 'client-input'),
      ...tests('security', 'edge', 'rate-limits', 'new-sign-in', 'replicas', 'ceilings'),
      ...tests('routes', 'administration'),
      'test/openapi.test.ts',
      'test/log.test.ts',
    ],
  },
  accounts: {
    mutate: [
      'src/services/{sessions,protection}/*.ts',
      'src/services/{accounts/{registration,activation},sign-in/password,passwords/{change,reset}}.ts',
    ],
    tests: [
      ...tests('routes', 'registration', 'sign-in', 'sessions', 'passwords'),
      ...tests(
        'security',
        'repetition',
        'password-change-tokens',
        'audit',
        'abuse',
        'edge',
        'session-limit',
        'turnstile',
        'new-sign-in',
        'meanwhile',
        'attempts-at-once',
        'device-sessions',
        'return-to',
        'ceilings',
        'attempts-at-strangers',
        'nearly-full',
        'refusal-rows',
        'device-counters',
        'user-agents',
        'accepted-tokens',
        'replicas',
      ),
      'test/http/failures.test.ts',
    ],
  },
  repetition: {
    mutate: ['src/store/{prepared,repetition,rotation}.ts', 'src/ip-address.ts', 'src/http/own-refresh-token.ts'],
    tests: [
      ...tests('security', 'repetition', 'password-change-tokens', 'audit'),
      ...tests('routes', 'sessions', 'refresh-cookie'),
      ...tests('store', 'prepared'),
    ],
  },
  administration: {
    mutate: [
      'src/services/administration/!(email-suppression).ts',
      'src/services/audit/!(archive*).ts',
      'src/services/accounts/{profile,deletion}.ts',
      'src/permissions.ts',
    ],
    tests: [
      ...tests('routes', 'administration', 'me', 'lists', 'activity', 'started-reset'),
      ...tests('security', 'audit', 'condensed-events', 'meanwhile', 'ceilings', 'audit-archive'),
      'test/permissions.test.ts',
    ],
  },
  archive: {
    mutate: ['src/services/audit/archive*.ts'],
    tests: [
      ...tests('routes', 'audit-archive'),
      ...tests('security', 'audit-archive'),
      ...tests('jobs', 'audit-archive'),
    ],
  },
  passwords: {
    mutate: ['src/services/passwords/{policy,breach-check,hashing,hash-queue}.ts', 'src/http/readiness.ts'],
    tests: [
      ...tests('routes', 'passwords', 'documents'),
      ...tests('security', 'breach', 'hash-queue', 'hash-queue-at-work', 'nearly-full'),
      ...tests('http', 'failures', 'conventions', 'readiness'),
      'test/config.test.ts',
      ...tests('crypto', 'strength'),
    ],
  },
  mail: {
    mutate: [
      'src/services/mail/*.ts',
      'src/services/sign-in/notice.ts',
      'src/services/administration/email-suppression.ts',
    ],
    tests: [
      ...tests('jobs', 'mail', 'mail-batches', 'mail-due', 'mail-costs', 'requeue', 'cleanup'),
      ...tests('routes', 'webhooks', 'emails', 'started-reset'),
      ...tests('security', 'new-sign-in', 'abuse', 'mail-budgets', 'mail-origin', 'return-to'),
    ],
  },
}

function tests(folder: string, ...names: string[]): string[] {
  return names.map((name) => `test/${folder}/${name}.test.ts`)
}
