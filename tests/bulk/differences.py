"""Files that are meant to be read differently: pattern of the name -> reason."""

NOT_NIFTI = "ITK falls back to Analyze 7.5 or reads any magic; we want a single-file NIfTI-1 image"
COMPLEX = "both read complex numbers, and the imaginary part is lost in float32; we refuse them"
TRUNCATED = "ITK fills what is missing; we refuse a truncated file"
NOT_FINITE = "a transform that is not finite gives an image without a position; the qform is used, or the file is refused"
LARGE = "ITK's decomposition fails for an offset of 1e30; ours does not"

DIFFERENCES = {
    "magic?.nii": NOT_NIFTI,
    "sizeof.nii": "the header's length is that of NIfTI-2; ITK ignores it",
    "other32.nii": COMPLEX,
    "other1792.nii": COMPLEX,
    "short.nii": TRUNCATED,
    "offset9.nii": TRUNCATED,
    "soffset0.nii": NOT_FINITE,
    "both_offset0.nii": NOT_FINITE,
    "origin_nan.nrrd": NOT_FINITE,
    "soffset2.nii": LARGE,
    "both_offset2.nii": LARGE,
}

LENGTHS = "nibabel takes trailing axes of length one as axes, and lengths below one as they are; we follow ITK"
OFFSET = "nibabel refuses offsets inside the header; ITK and we read from the header's end"
SFORM = "nibabel takes the sform always; we follow ITK, which prefers the qform unless the sform is the scanner's"
PLACE = "nibabel takes a matrix that is not a rotation, or is not finite; we follow ITK, which needs directions"
SLOPE = "a slope of (nearly) 0 is 1 in ITK and the intercept counts; nibabel ignores, or uses, both"
INTERCEPT = "nibabel refuses an intercept that is not finite; ITK takes 0"
QUATERNION = "nibabel refuses a quaternion longer than 1; ITK and we normalize it"
SPACING = "nibabel takes voxel sizes from the sform; we follow ITK, which takes `pixdim`"
UNITS = "nibabel ignores the unit of length; we give millimetres, as ITK does"
SIGNS = "nibabel ignores the sign of a voxel size, or takes it as it is; we follow ITK"
REPAIRED = "nibabel keeps numbers that are not finite in transforms; we follow ITK, which takes 0"

NIBABEL_DIFFERENCES = {
    "magic0.nii": NOT_NIFTI,
    "sizeof.nii": "the header's length is that of NIfTI-2; nibabel reports it and goes on",
    "other32.nii": COMPLEX,
    "other1792.nii": COMPLEX,
    "units[13]*.nii": UNITS,
    "codes_q[12345]_s[2345].nii": SFORM,
    "both_offset[01].nii": REPAIRED,
    "dim*.nii": LENGTHS,
    "shape*.nii": LENGTHS,
    "offset[01678].nii": OFFSET,
    "pixdim[12]_q.nii": SIGNS,
    "pixdim[34]_q.nii": REPAIRED,
    "qfac3.nii": SIGNS,
    "qoffset[01].nii": REPAIRED,
    "quatern[012].nii": REPAIRED,
    "quatern[678].nii": QUATERNION,
    "scale[89]_*.nii": INTERCEPT,
    "scale11_*.nii": INTERCEPT,
    "scale[17]_*.nii": SLOPE,
    "scale12_*.nii": SLOPE,
    "sform[01245].nii": PLACE,
    "sform[01245]_q.nii": PLACE,
    "sform[01245]_spacing.nii": PLACE,
    "sform[36]_spacing.nii": SPACING,
    "soffset[01].nii": PLACE,
}
