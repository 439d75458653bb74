//! The pure core of Tandem: values, schema, mapping, policy, matching, component merge, plans, configuration types.
