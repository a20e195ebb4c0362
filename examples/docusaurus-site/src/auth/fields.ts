// Printed by `auth-sidecar types --ts`; do not edit.

/** The declared fields of a user, for `inferAdditionalFields` in the client. */
export const userFields = {
  software_background: { type: "string", required: false },
  hardware_background: { type: "string", required: false },
} as const;

/** What a form needs to know about each field. */
export const userFieldRules = {
  software_background: { maxLength: 1000, values: ["beginner", "intermediate", "advanced"] },
  hardware_background: { maxLength: 1000, values: null },
} as const;

export interface UserFields {
  software_background?: "beginner" | "intermediate" | "advanced" | null;
  hardware_background?: string | null;
}
