/** Accounts whose owners have a passkey and no password, made by the API alone. */
import type { Authenticator } from './authenticator.ts'
import { Caller } from './caller.ts'
import { day } from './clock.ts'
import { inboxOf } from './inbox.ts'
import { enrolPasskey } from './passkeys.ts'
import { Person, goodPassword } from './person.ts'
import { peopleOf } from './population.ts'
import type { Service } from './service.ts'

export interface PasskeyOnly {
  /** A new session, begun with the passkey. */
  owner: Person
  authenticator: Authenticator
}

/** A new session of whoever has the passkey. */
export async function signInWith(service: Service, authenticator: Authenticator): Promise<Person> {
  const anonymous = new Caller(service)
  const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
  const credential = await authenticator.get(public_key)
  return new Person(service, await anonymous.signInWithPasskey({ challenge_token, credential }), goodPassword)
}

/**
 * Signs somebody up with `goodPassword`, who adds a passkey. Two days later they ask for another address and undo that,
 * which takes the password and leaves the passkey.
 */
export async function signUpPasskeyOnly(service: Service, email: string): Promise<PasskeyOnly> {
  const { authenticator } = await enrolPasskey(await peopleOf(service).signUp(email))
  service.clock.advance(2 * day)
  const asking = await signInWith(service, authenticator)
  await asking.changeEmail(`new-${email}`)
  await service.deliver()
  await asking.revertEmail(inboxOf(service).linkToken(email))
  await service.deliver()
  return { owner: await signInWith(service, authenticator), authenticator }
}
