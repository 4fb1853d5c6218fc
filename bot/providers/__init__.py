"""The provider layer: one module per separation service, all behind `base.Provider`."""
