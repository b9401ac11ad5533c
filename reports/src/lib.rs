//! Results of a comparison as plots, HTML and history.
