/** A call of every operation in the OpenAPI document, for what holds for all of them. */
import type { operations } from '../../client/src/api.ts'
import { type BodyOf, type OperationId, documented } from './api.ts'
import { goodPassword as password } from './person.ts'

export interface ContractCall {
  operationId: string
  method: string
  path: string
  /** `bearer` reads session and user from the database, `edge` goes by the token and the revocation list. */
  protection: 'none' | 'bearer' | 'edge'
  /** The fields of its JSON body, with values that fit. */
  body?: Record<string, unknown>
  /** The names of its parameters, of path and query. */
  parameters: string[]
}

/** An id that nothing has. */
export const unknownId = '01936f6e-0000-7000-8000-000000000000'
const email = 'ada@example.com'
const token = 'eyJhbGciOiJIUzI1NiJ9.e30.x'
const assertion = { id: 'AAAA', response: { clientDataJSON: 'e30', authenticatorData: 'AAAA', signature: 'AAAA' } }
const registration = { id: 'AAAA', response: { clientDataJSON: 'e30', attestationObject: 'AAAA' } }
const profile = { first_name: 'Ada', last_name: 'Lovelace', avatar_url: 'https://a.example/x.png', bio: 'Hello' }

type OperationWithBody = {
  [Id in OperationId]: operations[Id] extends { requestBody: object } ? Id : never
}[OperationId]

const bodies = {
  register: { email, password, first_name: 'Ada', last_name: 'Lovelace', locale: 'en' },
  activate: { token, password },
  resendActivation: { email },
  login: { email, password },
  signInWithPasskey: { challenge_token: token, credential: assertion },
  secondFactor: { factor_token: token, totp: '492039' },
  stepUp: { password },
  refresh: { refresh_token: token },
  logout: { refresh_token: token },
  changePassword: { old_password: password, new_password: password },
  requestPasswordReset: { email },
  completePasswordReset: { token, new_password: password },
  updateMe: { ...profile, locale: 'en' },
  changeEmail: { email: 'ada.new@example.com' },
  confirmEmail: { token },
  revertEmail: { token },
  deleteMe: { password },
  addPasskey: { challenge_token: token, credential: registration, name: 'Laptop', mail_code: '01234567' },
  renamePasskey: { name: 'Laptop' },
  confirmTotp: { setup_token: token, code: '492039', mail_code: '01234567' },
  moderateProfile: profile,
  assignRole: { role: 'USER' },
  suspendUser: { reason: 'spam' },
  resetFactors: { reason: 'Lost phone' },
} satisfies { [Id in OperationWithBody]: BodyOf<Id> }

const bodyOf = new Map<string, Record<string, unknown>>(Object.entries(bodies))

/** The operations that are answered without D1. The document does not tell them from the others. */
const atTheEdge = new Set<string>(['verify', 'listRoles'] satisfies OperationId[])

export const calls: ContractCall[] = [...documented].map(
  ([operationId, { method, template, security, parameters = [], requestBody }]) => {
    const body = bodyOf.get(operationId)
    if (requestBody && !body) throw new Error(`${operationId} has no sample body in test/support/calls.ts`)
    const isProtected = security.some(({ bearer }) => bearer)
    return {
      operationId,
      method,
      path: template.replace('{id}', unknownId),
      protection: !isProtected ? 'none' : atTheEdge.has(operationId) ? 'edge' : 'bearer',
      ...(body && { body }),
      parameters: parameters.map(({ name }) => name),
    }
  },
)

export const protectedCalls = calls.filter(({ protection }) => protection !== 'none')
export const jsonCalls = calls.filter((call): call is Required<ContractCall> => call.body !== undefined)
