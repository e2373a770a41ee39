/** The latest NumericDate (RFC 7519) that is read: the end of the year 9999, where google.protobuf.Timestamp ends. */
export const MAX_NUMERIC_DATE = 253_402_300_799;
