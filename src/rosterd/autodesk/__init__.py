"""Who has access to Autodesk applications and Tandem twins, and codes for shared 3D printers."""
