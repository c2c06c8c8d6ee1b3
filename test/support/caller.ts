/** A typed client of the service under test: one method for each operation. */
import {
  type BodyOf,
  type Input,
  type OperationId,
  type QueryOf,
  type Reply,
  callOperation,
  takesToken,
} from './api.ts'
import type { Call, Service } from './service.ts'

/** A user, by id or by anything that has one. */
export type Target = string | { id: string }
const idOf = (target: Target) => (typeof target === 'string' ? target : target.id)

/** Calls the service, without a token unless it is given one. */
export class Caller {
  readonly service: Service
  /** What goes with every call. */
  readonly defaults: Call

  constructor(service: Service, defaults: Call = {}) {
    this.service = service
    this.defaults = defaults
  }

  /** The same caller with other headers, another country or another token. */
  from({ headers, ...more }: Call): Caller {
    return new Caller(this.service, { ...this.defaults, ...more, headers: { ...this.defaults.headers, ...headers } })
  }

  /** The same caller at another service. */
  at(service: Service): Caller {
    return new Caller(service, this.defaults)
  }

  /** Any operation, with a body, an id or a query that may be wrong. */
  call<Id extends OperationId>(operation: Id, { headers, ...input }: Input = {}): Reply<Id> {
    const { token, ...defaults } = this.defaults
    return callOperation(this.service, operation, {
      ...defaults,
      ...(token !== undefined && takesToken(operation) && { token }),
      ...input,
      headers: { ...defaults.headers, ...headers },
    })
  }

  register(body: BodyOf<'register'>) {
    return this.call('register', { body })
  }
  activate(body: BodyOf<'activate'>) {
    return this.call('activate', { body })
  }
  resendActivation(email: string) {
    return this.call('resendActivation', { body: { email } })
  }
  login(body: BodyOf<'login'>) {
    return this.call('login', { body })
  }
  passkeySignInOptions() {
    return this.call('passkeySignInOptions')
  }
  signInWithPasskey(body: BodyOf<'signInWithPasskey'>) {
    return this.call('signInWithPasskey', { body })
  }
  secondFactor(body: BodyOf<'secondFactor'>) {
    return this.call('secondFactor', { body })
  }
  refresh(token: string) {
    return this.call('refresh', { body: { refresh_token: token } })
  }
  logout(token: string) {
    return this.call('logout', { body: { refresh_token: token } })
  }
  revertEmail(token: string) {
    return this.call('revertEmail', { body: { token } })
  }
  requestPasswordReset(body: BodyOf<'requestPasswordReset'>) {
    return this.call('requestPasswordReset', { body })
  }
  completePasswordReset(body: BodyOf<'completePasswordReset'>) {
    return this.call('completePasswordReset', { body })
  }
  getKeys() {
    return this.call('getKeys')
  }

  // With an access token

  logoutAll() {
    return this.call('logoutAll')
  }
  stepUpOptions() {
    return this.call('stepUpOptions')
  }
  stepUp(body: BodyOf<'stepUp'>) {
    return this.call('stepUp', { body })
  }
  verify() {
    return this.call('verify')
  }
  me() {
    return this.call('getMe')
  }
  updateMe(body: BodyOf<'updateMe'>) {
    return this.call('updateMe', { body })
  }
  deleteMe(password: string) {
    return this.call('deleteMe', { body: { password } })
  }
  changeEmail(email: string) {
    return this.call('changeEmail', { body: { email } })
  }
  confirmEmail(token: string) {
    return this.call('confirmEmail', { body: { token } })
  }
  exportMe() {
    return this.call('exportMe')
  }
  changePassword(body: BodyOf<'changePassword'>) {
    return this.call('changePassword', { body })
  }
  activity(query: QueryOf<'listMyActivity'> = {}) {
    return this.call('listMyActivity', { query })
  }
  sessions() {
    return this.call('listMySessions')
  }
  endSession(id: string) {
    return this.call('endMySession', { id })
  }
  endOtherSessions() {
    return this.call('endMyOtherSessions')
  }
  factors() {
    return this.call('getMyFactors')
  }
  sendFactorCode() {
    return this.call('sendFactorCode')
  }
  passkeyEnrolmentOptions() {
    return this.call('passkeyEnrolmentOptions')
  }
  addPasskey(body: BodyOf<'addPasskey'>) {
    return this.call('addPasskey', { body })
  }
  renamePasskey(id: string, name: string) {
    return this.call('renamePasskey', { id, body: { name } })
  }
  removePasskey(id: string) {
    return this.call('removePasskey', { id })
  }
  startTotp() {
    return this.call('startTotp')
  }
  confirmTotp(body: BodyOf<'confirmTotp'>) {
    return this.call('confirmTotp', { body })
  }
  removeTotp() {
    return this.call('removeTotp')
  }
  renewRecoveryCodes() {
    return this.call('renewRecoveryCodes')
  }
  roles() {
    return this.call('listRoles')
  }

  // On others

  users(query: QueryOf<'listUsers'> = {}) {
    return this.call('listUsers', { query })
  }
  user(target: Target) {
    return this.call('getUser', { id: idOf(target) })
  }
  moderateProfile(target: Target, body: BodyOf<'moderateProfile'>) {
    return this.call('moderateProfile', { id: idOf(target), body })
  }
  activateUser(target: Target) {
    return this.call('activateUser', { id: idOf(target) })
  }
  assignRole(target: Target, role: BodyOf<'assignRole'>['role']) {
    return this.call('assignRole', { id: idOf(target), body: { role } })
  }
  suspend(target: Target, reason = 'spam') {
    return this.call('suspendUser', { id: idOf(target), body: { reason } })
  }
  reinstate(target: Target) {
    return this.call('reinstateUser', { id: idOf(target) })
  }
  startPasswordReset(target: Target) {
    return this.call('startPasswordReset', { id: idOf(target) })
  }
  resetFactors(target: Target, reason = 'Lost phone') {
    return this.call('resetFactors', { id: idOf(target), body: { reason } })
  }
  sessionsOf(target: Target) {
    return this.call('listSessionsOfUser', { id: idOf(target) })
  }
  endSessionsOf(target: Target) {
    return this.call('endSessionsOfUser', { id: idOf(target) })
  }
  deleteUser(target: Target) {
    return this.call('deleteUser', { id: idOf(target) })
  }
  liftEmailSuppression(target: Target) {
    return this.call('liftEmailSuppression', { id: idOf(target) })
  }
  emails(query: QueryOf<'listEmails'> = {}) {
    return this.call('listEmails', { query })
  }
  auditArchive(query: QueryOf<'readAuditArchive'> = {}) {
    return this.call('readAuditArchive', { query })
  }
  auditEvents(query: QueryOf<'listAuditEvents'> = {}) {
    return this.call('listAuditEvents', { query })
  }
}
