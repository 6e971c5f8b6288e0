//! Quantile estimators behind one narrow seam.
