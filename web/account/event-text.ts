import type { Activity } from '../../client/src/index.ts'

interface EventTexts {
  types: Record<Activity['type'], string>
  factorAsked: string
}

/** After a right password, the lack of the second factor is recorded as a refusal, though the sign-in goes on. */
export function textOf({ type, detail }: Pick<Activity, 'type' | 'detail'>, texts: EventTexts): string {
  const isRefusal = type === 'user.sign_in_refused' || type === 'user.activation_refused'
  return isRefusal && detail?.['reason'] === 'second_factor_required' ? texts.factorAsked : texts.types[type]
}
