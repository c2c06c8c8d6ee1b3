/** Brings people into the service under test. */
import { Caller } from './caller.ts'
import { inboxOf } from './inbox.ts'
import { Person, goodPassword } from './person.ts'
import type { Service } from './service.ts'
import { rowOf } from './state.ts'

export type People = ReturnType<typeof peopleOf>

export function peopleOf(service: Service) {
  const anonymous = new Caller(service)
  const inbox = inboxOf(service)
  let firstAdmin: Promise<Person> | undefined

  /** Registers and gives the token of the activation link. */
  async function register(email: string, password = goodPassword): Promise<string> {
    await anonymous.register({ email, password })
    await service.deliver()
    return inbox.linkToken(email)
  }

  /** An account that waits to be activated: its id and the token of its link. */
  async function pending(email: string, password = goodPassword): Promise<{ id: string; email: string; link: string }> {
    const link = await register(email, password)
    return { id: String((await rowOf('users', 'email = ?', email))['id']), email, link }
  }

  async function signUp(email: string, password = goodPassword): Promise<Person> {
    const token = await register(email, password)
    const tokens = await anonymous.activate({ token, password })
    await service.deliver()
    return new Person(service, tokens, password)
  }

  async function signIn(email: string, password = goodPassword): Promise<Person> {
    return new Person(service, await anonymous.login({ email, password }), password)
  }

  /** The first ADMIN, by the bootstrap address. */
  function admin(): Promise<Person> {
    firstAdmin ??= signUp('admin@example.com')
    return firstAdmin
  }

  /** Somebody with a role that the first ADMIN gave. */
  async function signUpAs(role: 'MODERATOR' | 'ADMIN', email: string): Promise<Person> {
    const giver = await admin()
    await giver.assignRole(await signUp(email), role)
    return signIn(email)
  }

  /** Asks for a password reset and gives the token of the link. */
  async function resetToken(email: string): Promise<string> {
    await anonymous.requestPasswordReset({ email })
    await service.deliver()
    return inbox.linkToken(email)
  }

  return { register, pending, signUp, signIn, admin, signUpAs, resetToken }
}
