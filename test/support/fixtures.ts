/** What tests are given by name. Each test gets a service of its own, and only the people that it names sign up. */
import { test } from 'vitest'
import { Caller } from './caller.ts'
import { inboxOf } from './inbox.ts'
import { peopleOf } from './population.ts'
import { type ServiceOptions, startService } from './service.ts'

export const it = test
  /**
   * Other bindings or another platform: `it.override('options', { env: … })` in a `describe`. A whole file extends `it`
   * instead: outside a `describe`, an override would hold for the files that run after it, too.
   */
  .extend('options', async (): Promise<ServiceOptions> => ({}))
  .extend('service', async ({ options }) => startService(options))
  .extend('clock', async ({ service }) => service.clock)
  .extend('inbox', async ({ service }) => inboxOf(service))
  .extend('anonymous', async ({ service }) => new Caller(service))
  .extend('people', async ({ service }) => peopleOf(service))
  .extend('admin', ({ people }) => people.admin())
  .extend('moderator', ({ people }) => people.signUpAs('MODERATOR', 'mod@example.com'))
  .extend('ada', ({ people }) => people.signUp('ada@example.com'))
  .extend('eve', ({ people }) => people.signUp('eve@example.com'))
