/**
 * The files to mutate and the tests that should detect it. One failing test is enough, so the most likely ones come
 * first. Race tests are left out: they would add half a minute for each mutant that survives.
 */
interface Part {
  mutate: string[]
  tests: string[]
}

export const parts: Record<string, Part> = {
  crypto: {
    mutate: ['src/crypto/!(strength|strength-words|guesses|password-rules|word-list).ts'],
    tests: [
      ...tests('crypto', 'digest', 'random', 'tokens', 'password', 'totp', 'data-keys', 'mail-code'),
      ...tests('crypto', 'recovery-code', 'address-slot', 'password-vectors'),
      'test/config.test.ts',
      ...tests('routes', 'webhooks', 'audit-archive'),
      ...tests('security', 'data-keys', 'factor-proof'),
    ],
  },
  strength: {
    // strength-words.ts is prose.
    mutate: ['src/crypto/{strength,guesses,password-rules,word-list}.ts'],
    tests: [...tests('crypto', 'strength', 'password'), ...tests('routes', 'passwords')],
  },
  webauthn: {
    mutate: ['src/crypto/webauthn/*.ts'],
    tests: [
      ...tests('crypto/webauthn', 'cbor', 'ceremonies', 'challenge', 'vectors', 'judge'),
      ...tests('routes', 'passkeys'),
      ...tests('security', 'passkey-proof'),
    ],
  },
  http: {
    // Access, limits, refusals and routes. The other files of the folder only add headers and texts to answers and the
    // log.
    mutate: [
      'src/http/{authenticate,body,client-address,confinement,cors,limit-rate,origin,problem,router,validate,with-context}.ts',
    ],
    tests: [
      ...tests('http', 'problem', 'validate', 'router', 'conventions', 'failures', 'hostile-input', 'client-input'),
      ...tests('http', 'readiness', 'messages', 'same-twice'),
      ...tests('security', 'edge', 'rate-limits', 'new-sign-in', 'replicas', 'ceilings', 'confinement'),
      ...tests('security', 'fresh-sessions', 'authorization-matrix', 'accepted-tokens', 'tokens-matrix'),
      ...tests('routes', 'administration', 'refresh-cookie'),
      'test/openapi.test.ts',
      'test/log.test.ts',
    ],
  },
  accounts: {
    mutate: ['src/services/{accounts/{registration,activation},sign-in/password,passwords/{change,reset}}.ts'],
    tests: [
      ...tests('routes', 'registration', 'sign-in', 'passwords', 'second-factor', 'passkey-only'),
      ...tests('security', 'ways-in', 'password-change-tokens', 'abuse', 'turnstile', 'return-to', 'pre-hijacking'),
      ...tests('security', 'meanwhile', 'attempts-at-once', 'attempts-at-strangers', 'nearly-full', 'refusal-rows'),
      ...tests('security', 'session-limit', 'device-sessions', 'enumeration', 'mail-budgets', 'ceilings', 'full'),
      ...tests('security', 'new-sign-in', 'data-keys', 'confinement', 'fresh-sessions'),
      ...tests('security', 'audit'),
      ...tests('http', 'failures'),
    ],
  },
  sessions: {
    mutate: ['src/services/sessions/*.ts'],
    tests: [
      ...tests('routes', 'sessions', 'refresh-cookie', 'sign-in', 'second-factor', 'step-up', 'passkeys', 'me'),
      ...tests('security', 'accepted-tokens', 'edge', 'repetition', 'session-limit', 'fresh-sessions', 'confinement'),
      ...tests('security', 'replicas', 'user-agents', 'pre-hijacking', 'password-change-tokens', 'ways-in'),
      ...tests('security', 'device-sessions', 'device-counters', 'new-sign-in', 'meanwhile', 'data-keys'),
      ...tests('security', 'tokens-matrix', 'audit', 'condensed-events'),
      ...tests('routes', 'registration'),
      ...tests('http', 'failures'),
      ...tests('store', 'retry'),
    ],
  },
  protection: {
    mutate: ['src/services/protection/*.ts'],
    tests: [
      ...tests('security', 'ceilings', 'attempts-at-once', 'attempts-at-strangers', 'device-counters', 'turnstile'),
      ...tests('security', 'device-sessions', 'new-sign-in', 'nearly-full', 'refusal-rows', 'full', 'rate-limits'),
      ...tests('security', 'mail-budgets', 'user-agents', 'abuse', 'condensed-events', 'meanwhile'),
      ...tests('routes', 'sign-in', 'registration', 'passwords', 'step-up', 'second-factor', 'email-change'),
      ...tests('http', 'failures'),
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
      'src/services/administration/!(email-suppression|factors).ts',
      'src/services/audit/!(archive*).ts',
      'src/services/accounts/{profile,deletion}.ts',
      'src/permissions.ts',
    ],
    tests: [
      ...tests('routes', 'administration', 'me', 'lists', 'activity', 'started-reset', 'factor-reset', 'audit-archive'),
      ...tests('security', 'audit', 'condensed-events', 'meanwhile', 'ceilings', 'audit-archive', 'deletions'),
      ...tests('security', 'authorization-matrix', 'fresh-sessions', 'replicas', 'mail-budgets'),
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
    mutate: [
      'src/services/passwords/{policy,breach-check,hashing,hash-queue,own-password}.ts',
      'src/http/readiness.ts',
    ],
    tests: [
      ...tests('routes', 'passwords', 'documents'),
      ...tests('security', 'breach', 'hash-queue', 'hash-queue-at-work', 'nearly-full', 'abuse', 'attempts-at-once'),
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
      ...tests('routes', 'webhooks', 'emails', 'started-reset', 'email-change', 'factors', 'factor-reset'),
      ...tests('security', 'new-sign-in', 'abuse', 'mail-budgets', 'mail-origin', 'return-to', 'email-change'),
      ...tests('routes', 'administration', 'second-factor', 'own-passkeys'),
      'test/log.test.ts',
      'test/metrics.test.ts',
    ],
  },
  factors: {
    mutate: [
      'src/services/factors/*.ts',
      'src/services/sign-in/{passkey,second-factor}.ts',
      'src/services/accounts/{email-change,email-revert,export}.ts',
      'src/services/administration/factors.ts',
    ],
    tests: [
      ...tests('routes', 'factors', 'second-factor', 'passkeys', 'own-passkeys', 'step-up', 'factor-reset'),
      ...tests('routes', 'email-change', 'export', 'passkey-only'),
      ...tests('security', 'meanwhile', 'audit', 'condensed-events', 'mail-budgets', 'attempts-at-once'),
      ...tests('security', 'factor-proof', 'passkey-proof', 'email-change', 'ways-in', 'fresh-sessions', 'confinement'),
      ...tests('security', 'data-keys', 'deletions', 'enumeration', 'ceilings', 'replicas'),
    ],
  },
}

function tests(folder: string, ...names: string[]): string[] {
  return names.map((name) => `test/${folder}/${name}.test.ts`)
}
