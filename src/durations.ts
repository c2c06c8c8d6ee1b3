/** In milliseconds, for arithmetic with times. A day is 24 hours: everything here is in UTC. */
export const hourMs = 60 * 60 * 1000
export const dayMs = 24 * hourMs
