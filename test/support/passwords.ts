/** Two passwords that the service accepts. Apart from `person.ts`, as tests in Node cannot import vitest. */
export const goodPassword = 'nine quiet lanterns drift'
export const otherPassword = 'seven copper kettles hum'
